"""A session cut into the monthly records that APEL adds up rightly, pure.

APEL keys a record by session and month and takes the newest of each key. The month is that of
StartTime + SuspendDuration + WallDuration, and durations are cumulative: what a month counts is its
record's WallDuration less that of the record before. So the record of a month that is over has to
stop one second before its end, and months that were published by mistake are published again such
that they count nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter

STARTED = "started"
COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Part:
    """The record of one month: seconds since `start`, run (`wall`) and not run (`suspended`)."""

    month: date
    start: datetime
    wall: int
    suspended: int
    status: str


def parts(
    start: datetime,
    end: datetime | None,
    *,
    until: datetime,
    published: Collection[date] = (),
) -> list[Part]:
    """The records of a session, by month.

    One `started` for each month that it outlasted and that was over at `until`, and a `completed`
    for the month of its end; `published` are the months of which APEL has a record already.
    Moments are whole seconds in UTC.
    """
    found = list(_own(start, end, until))
    first = month_of(start)
    last, total = (found[-1].month, found[-1].wall) if found else (first, 0)
    found += [_nothing_before(month) for month in published if month < first]
    found += [_nothing_after(month, start, total) for month in published if month > last]
    return sorted(found, key=attrgetter("month"))


def _own(start: datetime, end: datetime | None, until: datetime) -> Iterator[Part]:
    month = month_of(start)
    while _past(month) <= (end or until):
        if _past(month) > until:
            return
        wall = max(0, _seconds(start, _past(month)) - 1)
        yield Part(month, start, wall, 0, STARTED)
        month = _past(month).date()
    if end is not None:
        yield Part(month, start, _seconds(start, end), 0, COMPLETED)


def _nothing_before(month: date) -> Part:
    """The session begins only later: nothing of it was in that month."""
    return Part(month, _first(month), 0, 0, STARTED)


def _nothing_after(month: date, start: datetime, wall: int) -> Part:
    """The session had ended before: the record adds nothing to the one before it."""
    return Part(month, start, wall, _seconds(start, _first(month)) - wall, COMPLETED)


def month_of(moment: datetime) -> date:
    """The first day of the UTC month."""
    return moment.astimezone(UTC).date().replace(day=1)


def _first(month: date) -> datetime:
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def _past(month: date) -> datetime:
    """The first moment after the month."""
    return _first((month + timedelta(days=31)).replace(day=1))


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())
