"""Cut into months, a session adds up at APEL to what it was, however often it was corrected."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from accounting.exports.apel.months import Part, month_of, parts

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = datetime(2027, 1, 1, tzinfo=UTC)


def test_a_session_over_two_borders() -> None:
    start, end = datetime(2026, 1, 31, 23, tzinfo=UTC), datetime(2026, 3, 1, 1, tzinfo=UTC)
    assert parts(start, end, until=UNTIL) == [
        Part(date(2026, 1, 1), start, 3599, 0, "started"),
        Part(date(2026, 2, 1), start, 3600 + 28 * 86400 - 1, 0, "started"),
        Part(date(2026, 3, 1), start, 3600 + 28 * 86400 + 3600, 0, "completed"),
    ]


def test_a_running_session_is_told_for_months_that_are_over() -> None:
    start = datetime(2026, 1, 31, 23, tzinfo=UTC)
    assert parts(start, None, until=datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)) == []
    [part] = parts(start, None, until=datetime(2026, 2, 20, tzinfo=UTC))
    assert (part.month, part.wall, part.status) == (date(2026, 1, 1), 3599, "started")


moments = st.integers(0, 11 * 31 * 86400).map(lambda seconds: JANUARY + timedelta(seconds=seconds))
borders = st.sampled_from([datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 12)])
intervals = st.tuples(moments | borders, moments | borders).map(sorted)


@given(st.lists(intervals, min_size=1, max_size=5))
def test_the_receiver_counts_the_last_correction(intervals: list[list[datetime]]) -> None:
    """It keeps the newest record of each month by the time that the record itself makes up."""
    table: dict[date, Part] = {}
    for start, end in intervals:
        for part in parts(start, end, until=UNTIL, published=table.keys()):
            assert part.suspended >= 0
            assert part.wall >= 0
            measured = part.start + timedelta(seconds=part.wall + part.suspended)
            assert month_of(measured) == part.month
            table[part.month] = part
    start, end = intervals[-1]
    counted = by_month(table)
    assert sum(counted.values()) == (end - start).total_seconds()
    for month, seconds in counted.items():
        assert abs(seconds - overlap(month, start, end)) <= 1, month


def by_month(table: dict[date, Part]) -> dict[date, int]:
    counted, before = {}, 0
    for month, part in sorted(table.items()):
        counted[month], before = part.wall - before, part.wall
    return counted


def overlap(month: date, start: datetime, end: datetime) -> float:
    first = datetime(month.year, month.month, 1, tzinfo=UTC)
    past = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
    return max(0.0, (min(end, past) - max(start, first)).total_seconds())
