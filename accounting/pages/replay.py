"""The page on which administrators try a quota or caps on the past months."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django import forms

from accounting import charts, usage
from accounting.replay.history import has_more_than, months_before
from accounting.replay.report import Event, Report, report
from accounting.usage import Window
from accounts.models import Group
from lsp_portal.lib.forms import PortalForm
from quotas.replay import Mode, Policy
from quotas.vocabulary import millicore_seconds

SHOWN = 200
"""So many refusals and stops are on the page; the file has all."""

MOST_MONTHS = 24
MOST_CHARGES = 200_000
"""More would take longer than people wait for a page; the command has no bound."""

MODES = [
    (Mode.SOFT, "soft (refuse new sessions)"),
    (Mode.HARD, "hard (also stop running ones)"),
    (Mode.NOMINAL, "nominal (count and warn)"),
]


class ReplayForm(PortalForm):
    """A policy, and whose past it is tried on."""

    group = forms.ModelChoiceField(
        Group.objects.order_by("name"),
        to_field_name="name",
        required=False,
        empty_label="Each group",
    )
    months = forms.IntegerField(min_value=1, max_value=MOST_MONTHS, initial=6)
    core_hours = forms.DecimalField(
        label="Quota in core-hours",
        required=False,
        min_value=0,
        max_digits=16,
        decimal_places=6,
    )
    mode = forms.ChoiceField(choices=MODES)
    member_core_hours = forms.DecimalField(
        label="Core-hours of one member",
        required=False,
        min_value=0,
        max_digits=16,
        decimal_places=6,
    )
    member_sessions = forms.IntegerField(
        label="Sessions at once of one member", required=False, min_value=0
    )
    group_sessions = forms.IntegerField(
        label="Sessions at once of the group", required=False, min_value=0
    )

    def policy(self) -> Policy:
        """What a valid form proposes."""
        chosen = self.cleaned_data
        hours, of_member = chosen["core_hours"], chosen["member_core_hours"]
        return Policy(
            quota=None if hours is None else millicore_seconds(hours),
            mode=Mode(chosen["mode"]),
            member_hours=None if of_member is None else millicore_seconds(of_member),
            member_sessions=chosen["member_sessions"],
            group_sessions=chosen["group_sessions"],
        )

    def is_short(self, *, at: datetime) -> bool:
        """Whether it is valid, and its past short enough for a page; else it says so."""
        if not self.is_valid():
            return False
        chosen = self.cleaned_data
        start = months_before(chosen["months"], at=at)
        if has_more_than(MOST_CHARGES, chosen["group"], start=start, at=at):
            self.add_error(
                "months",
                f"There are more than {MOST_CHARGES:,} charges in this time. Choose fewer months "
                "or one group, or have manage.py replay_quota run on the server.",
            )
        return not self.errors

    def report(self, *, at: datetime) -> Report:
        """What that would have done."""
        chosen = self.cleaned_data
        return report(chosen["group"], self.policy(), months=chosen["months"], at=at)


@dataclass(frozen=True, slots=True)
class Result:
    """A replay as the page shows it."""

    report: Report
    figure: dict[str, Any]
    events: list[Event]

    @property
    def hidden(self) -> int:
        """How many refusals and stops are in the file only."""
        return len(self.report.found.lost) - len(self.events)


def result(form: ReplayForm, *, at: datetime) -> Result:
    """What the page shows of a valid form."""
    found = form.report(at=at)
    return Result(found, _figure(found, form.cleaned_data), list(islice(found.events(), SHOWN)))


def _figure(found: Report, chosen: Mapping[str, Any]) -> dict[str, Any]:
    window = Window(found.start, found.end, found.end)
    used = {
        row.day: row.usage.millicore_seconds for row in usage.by_day(window, group=chosen["group"])
    }
    days = [day for day in window.days if day <= found.end.astimezone(UTC).date()]
    return charts.replayed_per_day(days, used, found.not_used_by_day())
