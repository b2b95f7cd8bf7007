"""The figures are documents that plotly accepts, and draw the numbers of the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

import plotly.graph_objects
import pytest

from accounting import charts
from accounting.group_usage import Breakdown
from accounting.usage import DayUsage, DayUserUsage, Named
from quotas.vocabulary import Usage, core_hours

DAYS = [date(2026, 5, 1) + timedelta(days=number) for number in range(10)]
ODD = 1_234_567  # millicore-seconds, no round number of core-hours


def person(number: int) -> Named:
    return Named(number, f"person-{number}", f"Person {number}")


def use(of: Named | None, day: int, amount: int) -> DayUserUsage:
    return DayUserUsage(DAYS[day], of, Usage(millicore_seconds=amount))


def ranks(people: int) -> dict[int, int]:
    return {number: number for number in range(people)}


def together(rows: Iterable[DayUserUsage]) -> Breakdown:
    """The rows as a group's usage, in which seven people are shown day by day."""
    sums: Counter[Named | None] = Counter()
    rest: Counter[date] = Counter()
    rows = list(rows)
    for row in rows:
        sums[row.user] += row.usage.millicore_seconds
    ordered = sorted(sums, key=lambda user: -sums[user])
    named = ordered[: charts.LARGEST]
    for row in rows:
        if row.user not in named:
            rest[row.day] += row.usage.millicore_seconds
    return Breakdown(
        other_people=len(ordered) - len(named),
        largest=[row for user in named for row in rows if row.user == user],
        others=[DayUsage(day, Usage(amount)) for day, amount in rest.items()],
    )


@pytest.mark.parametrize("people", [0, 1, 7, 8, 30])
def test_the_bars_add_up_to_the_table(people: int) -> None:
    rows = [
        use(person(number), day, ODD * (number + 1) + day)
        for number in range(people)
        for day in range(0, 10, 3)
    ]

    figure = charts.core_hours_per_day(DAYS, together(rows), ranks=ranks(people))

    plotly.graph_objects.Figure(figure)
    drawn = sum(sum(trace["y"]) for trace in figure["data"])
    exact = float(core_hours(sum(row.usage.millicore_seconds for row in rows)))
    assert drawn == pytest.approx(exact, abs=1e-6 * max(1, len(rows)))
    assert len(figure["data"]) == min(people, 8)
    assert all(trace["x"] == [str(day) for day in DAYS] for trace in figure["data"])


def test_those_who_use_most_are_named_and_the_rest_is_one() -> None:
    rows = [use(person(number), 0, ODD * (number + 1)) for number in range(10)]

    figure = charts.core_hours_per_day(DAYS, together(rows), ranks=ranks(10))

    assert [trace["name"] for trace in figure["data"]] == [
        *(f"Person {number}" for number in range(9, 2, -1)),
        "3 others",
    ]
    assert figure["data"][-1]["meta"] == {"colour": 8}


def test_a_person_keeps_the_colour_in_every_window() -> None:
    alone = charts.core_hours_per_day(DAYS, together([use(person(2), 0, ODD)]), ranks=ranks(5))
    crowd = [use(person(number), 1, ODD * (9 - number)) for number in range(5)]
    crowded = charts.core_hours_per_day(DAYS, together(crowd), ranks=ranks(5))

    colours = {trace["name"]: trace["meta"]["colour"] for trace in crowded["data"]}
    assert alone["data"][0]["meta"]["colour"] == colours["Person 2"] == 3
    assert sorted(colours.values()) == [1, 2, 3, 4, 5]


def test_nobody_shares_a_colour_in_a_large_group() -> None:
    rows = [use(person(number), 0, ODD) for number in (0, 7, 14, 21, 1, 8)]
    rows += [use(None, 0, ODD)]

    figure = charts.core_hours_per_day(DAYS, together(rows), ranks=ranks(22))

    colours = [trace["meta"]["colour"] for trace in figure["data"]]
    assert sorted(colours) == [1, 2, 3, 4, 5, 6, 7]
    assert charts.UNKNOWN in [trace["name"] for trace in figure["data"]]


def test_a_correction_below_zero_is_drawn() -> None:
    figure = charts.core_hours_per_day(DAYS, together([use(person(0), 2, -3_600_000)]), ranks={})

    assert figure["data"][0]["y"][2] == -1.0
