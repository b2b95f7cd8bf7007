"""A page that shows every component of the pages once; only where DEBUG is on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from lsp_portal.lib.display import (
    MILLICORE_SECONDS_PER_CORE_HOUR,
    compute_quota_bar,
    storage_quota_bar,
)
from lsp_portal.lib.forms import PortalForm

HOUR = MILLICORE_SECONDS_PER_CORE_HOUR
GIB = 1024**3


class ExampleForm(PortalForm):
    """One field of each kind."""

    title = forms.CharField(help_text="What people read.")
    hours = forms.IntegerField(label="Core-hours", min_value=1, help_text="For the whole period.")
    size = forms.ChoiceField(choices=[("tiny", "Tiny"), ("large", "Large")])
    mode = forms.ChoiceField(
        choices=[("soft", "Refuse new sessions"), ("hard", "Also stop running ones")],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), required=False)
    sure = forms.BooleanField(label="Tell the members", required=False)


def styleguide(request: HttpRequest) -> HttpResponse:
    """Shows every component with made-up content."""
    return render(request, "styleguide.html", {**_content(), **_numbers(), "figure": _figure()})


def _content() -> dict[str, Any]:
    return {
        "form": ExampleForm({"title": "Exoplanets", "hours": "-3", "size": "tiny", "mode": "soft"}),
        "page": Paginator(range(60), 20).page(2),
        "states": ["pending", "running", "stopping", "ended", "failed"],
        "alerts": [
            {"tone": "ok", "title": "Started.", "text": "Your notebook is ready."},
            {"tone": "info", "title": "", "text": "The period ends on 2026-12-31."},
            {"tone": "warn", "title": "Nearly used up.", "text": "92 % of the quota is used."},
            {"tone": "bad", "title": "Refused.", "text": "The quota is used up until 2027-01-01."},
        ],
        "cards": [
            _card("Notebooks", "JupyterLab next to the data.", "journal-code", "Running", "ok"),
            _card("Firefly portal", "Images and catalogues.", "stars", "Slow", "warn"),
            _card("TAP", "Queries in ADQL, from anywhere.", "database", "Down", "bad"),
            _card("Documentation", "Guides and examples.", "book", "Not checked", "none"),
        ],
    }


def _card(title: str, text: str, icon: str, status: str, tone: str) -> dict[str, str]:
    return {"title": title, "text": text, "icon": icon, "status": status, "tone": tone}


def _numbers() -> dict[str, Any]:
    started = datetime(2026, 5, 1, 8, 0, 20, tzinfo=UTC)
    return {
        "stats": [
            {"label": "Used this period", "value": "1,234.50", "unit": "core-hours"},
            {"label": "Running now", "value": "7", "hint": "2 of them are yours"},
            {"label": "Members", "value": "12", "hint": "1 joined this month"},
        ],
        "bars": [
            ("Compute", compute_quota_bar(620 * HOUR, 1000 * HOUR, held=5 * HOUR)),
            ("Compute, nearly used", compute_quota_bar(920 * HOUR, 1000 * HOUR)),
            ("Storage, over", storage_quota_bar(130 * GIB, 120 * GIB)),
            ("Storage, no limit", storage_quota_bar(int(3.5 * GIB), None)),
        ],
        "rows": [
            _row("Alice", "running", "Tiny", started, 3907, 1_953_500),
            _row("Bob", "stopping", "Large", started, 93_784, 750_272_000),
            _row("Charlie", "failed", "Medium", None, None, 0),
        ],
        "total": 752_225_500,
    }


def _row(
    member: str, state: str, size: str, started: datetime | None, length: int | None, used: int
) -> dict[str, Any]:
    return {
        "member": member,
        "state": state,
        "size": size,
        "started": started,
        "length": length,
        "used": used,
    }


def _figure() -> dict[str, Any]:
    days = [f"2026-05-{day:02}" for day in range(1, 15)]
    members = {"Alice": 3, "Bob": 5, "Charlie": 7}
    bars = [
        {"type": "bar", "name": name, "x": days, "y": [(day * step) % 11 for day in range(14)]}
        for name, step in members.items()
    ]
    return {
        "data": bars,
        "layout": {"barmode": "stack", "yaxis": {"title": {"text": "core-hours"}}},
    }
