"""What was measured of an owner over time: the last sample of each day, or of several days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from math import ceil
from typing import Any

from django.db import connection

from accounts.models import Group, User
from quotas.growth import DAYS, Growth, Point
from sessions.storage.areas import Area

MOST_POINTS = 400
"""Of each mount; a chart cannot show more."""

DAY = timedelta(days=1)

# One look into the unique index for each mount and stretch, however many samples there are.
LAST_OF_EACH = """
SELECT m.mount, s.taken_at, s.used_bytes, s.is_stale
FROM unnest(%(mounts)s::text[]) m (mount)
CROSS JOIN generate_series(0, %(count)s - 1) n
CROSS JOIN LATERAL (
    SELECT taken_at, used_bytes, is_stale FROM hub_sessions_storagesample
    WHERE {owner} AND mount = m.mount
        AND taken_at >= %(start)s + n * %(step)s AND taken_at < %(start)s + (n + 1) * %(step)s
        AND taken_at < %(end)s
    ORDER BY taken_at DESC LIMIT 1
) s
ORDER BY m.mount COLLATE "C", s.taken_at
"""
OF_USER = LAST_OF_EACH.format(owner="user_id = %(owner)s AND group_id IS NULL")
OF_GROUP = LAST_OF_EACH.format(owner="group_id = %(owner)s AND user_id IS NULL")


@dataclass(frozen=True, slots=True)
class Reading:
    taken_at: datetime
    used: int
    is_stale: bool


Series = dict[str, list[Reading]]


def series(owner: User | Group, mounts: Sequence[str], *, start: datetime, end: datetime) -> Series:
    """By mount, the last sample of each day in [start, end), or of each of 400 stretches of days.

    Days begin at the time of day of `start`.
    """
    days = max(1, ceil((end - start) / DAY))
    step = ceil(days / MOST_POINTS)
    asked: dict[str, Any] = {
        "owner": owner.pk,
        "mounts": list(mounts),
        "start": start,
        "end": end,
        "step": step * DAY,
        "count": ceil(days / step),
    }
    found: Series = {mount: [] for mount in mounts}
    with connection.cursor() as cursor:
        cursor.execute(OF_USER if isinstance(owner, User) else OF_GROUP, asked)
        for mount, *reading in cursor.fetchall():
            found[mount].append(Reading(*reading))
    return found


def growth(area: Area, *, at: datetime) -> Growth | None:
    """The pace of the last 30 days, without stale samples; None where it cannot be said."""
    return Growth.of(days_before(area, DAYS, at=at))


def days_before(area: Area, days: int, *, at: datetime) -> list[Point]:
    """The last measurement of each of so many UTC days up to now, without stale samples."""
    end = datetime.combine(at.astimezone(UTC).date() + DAY, time(), UTC)
    mounts = [sample.mount for sample in area.samples]
    return together(series(area.owner, mounts, start=end - days * DAY, end=end))


def together(found: Mapping[str, Sequence[Reading]]) -> list[Point]:
    """The sum of all mounts at each moment of a sample, from when on each was measured."""
    readings = sorted(
        (reading.taken_at, mount, reading.used)
        for mount, rows in found.items()
        for reading in rows
        if not reading.is_stale
    )
    last: dict[str, int] = {}
    sums: dict[datetime, int] = {}
    for taken_at, mount, used in readings:
        last[mount] = used
        if len(last) == len(found):
            sums[taken_at] = sum(last.values())
    by_day = {taken_at.astimezone(UTC).date(): (taken_at, used) for taken_at, used in sums.items()}
    return list(by_day.values())
