"""What was used, as every page, API and file shows it: the one source of published sums.

Each question is one SQL statement, hence one snapshot: roll-ups of the full days that are clean,
charges of the days that are stale or cut by the window, and running charges up to `at`. The sums
are exact integers and the same whichever of the three they come from, so the answers to different
questions about one window agree to the last digit. `sessions.usage` has the formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection

from accounting.parts import months_by, parts
from accounts.models import Group, User
from quotas.vocabulary import Usage
from sessions.usage import usage


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open interval [start, end) that is asked about; running charges count up to `at`."""

    start: datetime
    end: datetime
    at: datetime

    @property
    def full_days(self) -> tuple[date, date]:
        """The half-open UTC dates that lie within the window as a whole."""
        return _day(self.start + timedelta(days=1, microseconds=-1)), _day(self.end)

    @property
    def cut_days(self) -> list[date]:
        """The UTC dates of which the window takes a part."""
        return [_day(edge) for edge in (self.start, self.end) if _clock(edge) != time()]

    @property
    def days(self) -> list[date]:
        """Every UTC date that the window touches, for an axis without gaps."""
        first = _day(self.start)
        count = (_day(self.end - timedelta(microseconds=1)) - first).days + 1
        return [first + timedelta(days=number) for number in range(count)]


@dataclass(frozen=True, slots=True)
class Named:
    """A person or a group, as tables show it."""

    pk: int
    name: str
    title: str


@dataclass(frozen=True, slots=True)
class DayUsage:
    day: date
    usage: Usage


@dataclass(frozen=True, slots=True)
class GroupUsage:
    """`group` None: what no group pays for."""

    group: Named | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class UserUsage:
    """`user` None: people whom the portal does not know."""

    user: Named | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class DayUserUsage:
    day: date
    user: Named | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class UserGroupUsage:
    user: Named | None
    group: Named | None
    usage: Usage


def total(window: Window, *, group: Group | None = None, user: User | None = None) -> Usage:
    """The sum over everything, over a group, over a person, or over a person in a group."""
    return sum((usage(row) for row in _sums(window, (), group=group, user=user)), Usage())


def by_day(
    window: Window, *, group: Group | None = None, user: User | None = None
) -> list[DayUsage]:
    """Per UTC day, in order of days; days without usage are left out."""
    rows = _sums(window, ("day",), group=group, user=user)
    return [DayUsage(day, usage(sums)) for day, *sums in rows]


def by_day_and_user(window: Window, *, group: Group) -> list[DayUserUsage]:
    """Of a group, per UTC day and person, in order of days and names."""
    rows = _sums(window, ("day", "user"), group=group)
    return [DayUserUsage(row[0], named(row[1:4]), usage(row[4:])) for row in rows]


def by_user(window: Window, *, group: Group | None = None) -> list[UserUsage]:
    """Per person (of a group, or of all groups and none), in order of names."""
    rows = _sums(window, ("user",), group=group)
    return [UserUsage(named(row[:3]), usage(row[3:])) for row in rows]


def by_group(window: Window, *, user: User | None = None) -> list[GroupUsage]:
    """Per group (of a person, or of everybody), in order of names; unattributed last."""
    rows = _sums(window, ("group",), user=user)
    return [GroupUsage(named(row[:3]), usage(row[3:])) for row in rows]


def by_user_and_group(window: Window) -> list[UserGroupUsage]:
    """Per person and group, in order of names."""
    rows = _sums(window, ("user", "group"))
    return [UserGroupUsage(named(row[:3]), named(row[3:6]), usage(row[6:])) for row in rows]


def parameters(
    window: Window, *, group: Group | None = None, user: User | None = None
) -> dict[str, Any]:
    """What statements that begin with `accounting.parts` are given."""
    full_from, full_to = window.full_days
    return {
        "start": window.start,
        "end": window.end,
        "at": window.at,
        "first_day": _day(window.start),
        "last_day": _day(window.end - timedelta(microseconds=1)),
        "full_from": full_from,
        "full_to": full_to,
        "cut_days": window.cut_days,
        "group": group and group.pk,
        "user": user and user.pk,
    }


def _sums(
    window: Window,
    dimensions: Sequence[str],
    *,
    group: Group | None = None,
    user: User | None = None,
) -> list[tuple[Any, ...]]:
    statement = _statement(dimensions, group is not None, user is not None)
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters(window, group=group, user=user))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


PERSON = (
    "u.id, u.username, coalesce(nullif(trim(u.first_name || ' ' || u.last_name), ''), u.username)"
)
NAMED = {
    "day": ("day", "", "day"),
    "group": (
        "g.id, g.name, g.title",
        "LEFT JOIN accounts_group g ON g.id = t.group_id",
        'g.name COLLATE "C"',
    ),
    "user": (
        PERSON,
        "LEFT JOIN accounts_user u ON u.id = t.user_id",
        'u.username COLLATE "C"',
    ),
}


def _statement(dimensions: Sequence[str], of_group: bool, of_user: bool) -> str:
    columns = [name if name == "day" else f"{name}_id" for name in dimensions]
    by_group, by_person = of_group or "group" in dimensions, of_user or "user" in dimensions
    found = parts(
        by_person=by_person,
        of_group=of_group,
        of_user=of_user,
        months="" if "day" in dimensions else months_by(group=by_group, person=by_person),
    )
    return found + TOTALS.format(
        columns="".join(f"{name}, " for name in columns),
        grouping=f"GROUP BY {', '.join(columns)}" if columns else "",
        labels="".join(f"{NAMED[name][0]}, " for name in dimensions),
        joins=" ".join(NAMED[name][1] for name in dimensions),
        ordering=", ".join(NAMED[name][2] for name in dimensions) or "1",
    )


TOTALS = """
, totals AS (
    SELECT {columns}sum(millicore_seconds) AS millicore_seconds, sum(mib_seconds) AS mib_seconds,
           sum(gpu_seconds) AS gpu_seconds
    FROM parts {grouping}
)
SELECT {labels}millicore_seconds, mib_seconds, gpu_seconds
FROM totals t {joins}
WHERE millicore_seconds <> 0 OR mib_seconds <> 0 OR gpu_seconds <> 0
ORDER BY {ordering}
"""


def named(row: Sequence[Any]) -> Named | None:
    return None if row[0] is None else Named(*row)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _clock(moment: datetime) -> time:
    return moment.astimezone(UTC).time()
