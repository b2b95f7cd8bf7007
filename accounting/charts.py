"""Plotly figures as plain documents; colours and fonts are the page's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from accounting.group_usage import Breakdown
from accounting.usage import Named
from quotas.vocabulary import core_hours

LARGEST = 7
"""So many people have a colour of their own; the others are drawn as one, in the last colour."""

COLOURS = LARGEST + 1
OTHERS = "others"
UNKNOWN = "unknown people"

Sums = dict[date, int]


def core_hours_per_day(
    days: Sequence[date], group: Breakdown, *, ranks: Mapping[int, int]
) -> dict[str, Any]:
    """Bars per UTC day, stacked by person in order of use; those who used most by name.

    `ranks` has the place of people (by id) in their group: it gives the same person the same
    colour in every window, as far as there are colours.
    """
    sums: dict[Named | None, Sums] = defaultdict(dict)
    for row in group.largest:
        sums[row.user][row.day] = row.usage.millicore_seconds
    named = list(sums)
    colours = _colours(named, ranks)
    traces = [_trace(_label(person), colours[person], days, sums[person]) for person in named]
    if group.others:
        rest = {row.day: row.usage.millicore_seconds for row in group.others}
        traces.append(_trace(f"{group.other_people} {OTHERS}", COLOURS, days, rest))
    return {"data": traces, "layout": _layout()}


def replayed_per_day(
    days: Sequence[date], used: Mapping[date, int], not_used: Mapping[date, int]
) -> dict[str, Any]:
    """Bars per UTC day: what would have been used, and on top what would not."""
    kept = {day: used.get(day, 0) - not_used.get(day, 0) for day in days}
    traces = [
        _trace("used all the same", 1, days, kept),
        _trace("not used", 2, days, not_used),
    ]
    return {"data": traces, "layout": _layout()}


def _colours(people: Sequence[Named | None], ranks: Mapping[int, int]) -> dict[Named | None, int]:
    """A colour (1 to 7) for each: the one of the person's rank, or the next that is free."""
    free = list(range(1, LARGEST + 1))
    colours = {}
    for person in sorted(
        people, key=lambda person: (_rank(person, ranks), person.pk if person else 0)
    ):
        wanted = 1 + _rank(person, ranks) % LARGEST
        colours[person] = min(free, key=lambda colour: (colour - wanted) % LARGEST)
        free.remove(colours[person])
    return colours


def _rank(person: Named | None, ranks: Mapping[int, int]) -> int:
    return len(ranks) if person is None else ranks.get(person.pk, len(ranks))


def _trace(
    name: str, colour: int, days: Sequence[date], sums: Mapping[date, int]
) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": name,
        "meta": {"colour": colour},
        "x": [day.isoformat() for day in days],
        "y": [float(core_hours(sums.get(day, 0))) for day in days],
        "hovertemplate": "%{x|%Y-%m-%d}: %{y:,.2f} core-hours<extra>%{fullData.name}</extra>",
    }


def _layout() -> dict[str, Any]:
    return {
        "barmode": "stack",
        "xaxis": {"type": "date"},
        "yaxis": {"title": {"text": "core-hours"}, "rangemode": "tozero"},
        "legend": {"orientation": "h"},
        "showlegend": True,
    }


def _label(person: Named | None) -> str:
    return UNKNOWN if person is None else person.title
