"""The page of a report: its rows with their links, and the chart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.urls import reverse

from accounting.pages.period import Choice
from accounting.pages.report_form import WORDS, ReportForm
from accounting.pages.total import NOBODY
from accounting.reports import files, report
from accounting.reports.report import Found, Label, Row
from accounting.reports.wish import Wish
from quotas.vocabulary import Usage

ROWS = 25
UNKNOWN = {
    "group": "Charged to no group",
    "user": "People whom the portal does not know",
    "hub": "",
    "image": "Not told by the hub",
    "size": "Not told by the hub",
    "institution": "No affiliation on record",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of a dimension as the table shows it."""

    title: str
    name: str
    note: str


@dataclass(frozen=True, slots=True)
class Line:
    cells: list[Cell]
    usage: Usage
    share: float | None
    url: str


@dataclass(frozen=True, slots=True)
class Column:
    """A head of the table, with the address that sorts by it."""

    word: str
    order: str
    sorted: str


@dataclass(frozen=True, slots=True)
class View:
    """A page of a report; `url` leads to the sessions behind its total."""

    lines: list[Line]
    total: Usage
    url: str
    pages: Page[int]
    columns: list[Column]
    figure: dict[str, Any]


def view(form: ReportForm, choice: Choice, *, number: str) -> View:
    """The page that is asked for, or the last one."""
    wish = form.wish()
    order = form.cleaned_data["order"]
    asked = int(number) if number.isascii() and number.isdecimal() and len(number) < 9 else 1
    found = report.page(wish, choice.window, order=order, offset=ROWS * max(0, asked - 1))
    pages = Paginator(range(found.count), ROWS).get_page(asked)
    if pages.number != asked:
        offset = ROWS * (pages.number - 1)
        found = report.page(wish, choice.window, order=order, offset=offset)
    return View(
        lines=_lines(form, choice, wish, found),
        total=found.total,
        url=_sessions(form.narrowed(), choice),
        pages=pages,
        columns=[_column(name, order) for name in (*wish.by, "core_hours")],
        figure=figure(found.rows),
    )


def _lines(form: ReportForm, choice: Choice, wish: Wish, found: Found) -> list[Line]:
    known, narrowed = files.noted(wish, found.rows), form.narrowed()
    whole = found.total.millicore_seconds
    lines = []
    for row in found.rows:
        cells = [_cell(label, known.get(label.dimension, {})) for label in row.labels]
        own = {label.dimension: label.name or NOBODY for label in row.labels}
        asked = narrowed | own
        if "group" in own:
            asked.pop("whose", None)
        share = row.usage.millicore_seconds / whole * 100 if whole > 0 else None
        lines.append(Line(cells, row.usage, share, _sessions(asked, choice)))
    return lines


def _cell(label: Label, known: Mapping[str, str]) -> Cell:
    title = label.title or UNKNOWN[label.dimension]
    return Cell(title, label.name, known.get(label.name, ""))


def _sessions(asked: Mapping[str, str], choice: Choice) -> str:
    return f"{reverse('sessions')}?{urlencode(asked)}&{choice.query_string}"


def _column(name: str, order: str) -> Column:
    """Sorted another time it is sorted the other way round; amounts begin with the largest."""
    word = WORDS.get(name, "core-hours").capitalize()
    if order.lstrip("-") != name:
        return Column(word, "-core_hours" if name == "core_hours" else name, "")
    is_down = order.startswith("-")
    return Column(word, name if is_down else f"-{name}", "descending" if is_down else "ascending")


COLOURS = 7


def figure(rows: list[Row]) -> dict[str, Any]:
    """Bars of the first dimension, stacked by the second, if there is one; seven by name."""
    bars = list(dict.fromkeys(_said(row.labels[0]) for row in rows))
    parts: dict[str, int] = {}
    for row in rows:
        name = _said(row.labels[-1]) if len(row.labels) > 1 else ""
        parts[name] = parts.get(name, 0) + row.usage.millicore_seconds
    largest = sorted(parts, key=lambda name: -parts[name])[:COLOURS]
    traces = [_trace(name, place, bars, rows) for place, name in enumerate(largest, 1)]
    if rest := parts.keys() - set(largest):
        others = [row for row in rows if _said(row.labels[-1]) in rest]
        traces.append(_trace(f"{len(rest)} others", COLOURS + 1, bars, others, all_parts=True))
    layout = {
        "barmode": "relative",
        "xaxis": {"type": "category"},
        "yaxis": {"title": {"text": "core-hours"}},
        "legend": {"orientation": "h"},
        "showlegend": len(traces) > 1,
    }
    return {"data": traces, "layout": layout}


def _trace(
    name: str, colour: int, bars: list[str], rows: list[Row], *, all_parts: bool = False
) -> dict[str, Any]:
    sums = dict.fromkeys(bars, 0)
    for row in rows:
        if all_parts or not name or _said(row.labels[-1]) == name:
            sums[_said(row.labels[0])] += row.usage.millicore_seconds
    return {
        "type": "bar",
        "name": name or "core-hours",
        "meta": {"colour": colour},
        "x": bars,
        "y": [float(Usage(amount).core_hours) for amount in sums.values()],
        "hovertemplate": "%{x}: %{y:,.2f} core-hours<extra>%{fullData.name}</extra>",
    }


def _said(label: Label) -> str:
    """The name is one only, which titles need not be."""
    return label.name or UNKNOWN[label.dimension]


@dataclass(frozen=True, slots=True)
class Preset:
    word: str
    first: date
    last: date


def presets(*, at: datetime) -> list[Preset]:
    """Times that are often asked for, beside the allocation period."""
    today = at.astimezone(UTC).date()
    month = today.replace(day=1)
    following = (month + timedelta(days=31)).replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    return [
        Preset("Last month", before, month - timedelta(days=1)),
        Preset("This month", month, following - timedelta(days=1)),
        Preset("This year", today.replace(month=1, day=1), today.replace(month=12, day=31)),
    ]
