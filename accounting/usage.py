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

from accounting.charges import CHARGES_OF_PAIRS, DAY_END, DAY_START
from accounts.models import Group, User
from quotas.vocabulary import Usage
from sessions.usage import amounts, usage


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
    return [DayUserUsage(row[0], _named(row[1:4]), usage(row[4:])) for row in rows]


def by_user(window: Window, *, group: Group | None = None) -> list[UserUsage]:
    """Per person (of a group, or of all groups and none), in order of names."""
    rows = _sums(window, ("user",), group=group)
    return [UserUsage(_named(row[:3]), usage(row[3:])) for row in rows]


def by_group(window: Window, *, user: User | None = None) -> list[GroupUsage]:
    """Per group (of a person, or of everybody), in order of names; unattributed last."""
    rows = _sums(window, ("group",), user=user)
    return [GroupUsage(_named(row[:3]), usage(row[3:])) for row in rows]


def by_user_and_group(window: Window) -> list[UserGroupUsage]:
    """Per person and group, in order of names."""
    rows = _sums(window, ("user", "group"))
    return [UserGroupUsage(_named(row[:3]), _named(row[3:6]), usage(row[6:])) for row in rows]


def _sums(
    window: Window,
    dimensions: Sequence[str],
    *,
    group: Group | None = None,
    user: User | None = None,
) -> list[tuple[Any, ...]]:
    full_from, full_to = window.full_days
    parameters: dict[str, Any] = {
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
    with connection.cursor() as cursor:
        cursor.execute(_statement(dimensions, group is not None, user is not None), parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


NAMED = {
    "day": ("day", "", "day"),
    "group": (
        "g.id, g.name, g.title",
        "LEFT JOIN accounts_group g ON g.id = t.group_id",
        'g.name COLLATE "C"',
    ),
    "user": (
        "u.id, u.username,"
        " coalesce(nullif(trim(u.first_name || ' ' || u.last_name), ''), u.username)",
        "LEFT JOIN accounts_user u ON u.id = t.user_id",
        'u.username COLLATE "C"',
    ),
}


def _statement(dimensions: Sequence[str], of_group: bool, of_user: bool) -> str:
    by_person = of_user or "user" in dimensions
    rollup_rows = MONTHS_AND_DAYS if tuple(dimensions) == ("user",) and not of_group else DAYS
    in_group = "AND {0}.group_id = %(group)s " if of_group else ""
    in_user = "AND {0}.user_id = %(user)s" if of_user else ""
    columns = [name if name == "day" else f"{name}_id" for name in dimensions]
    people = ", {0}.user_id" if by_person else ""
    return STATEMENT.replace("{rollup_rows}", rollup_rows).format(
        rollup="accounting_userday" if by_person else "accounting_groupday",
        stale_filter=in_group.format("s"),
        rollup_filter=(in_group + in_user).format("r"),
        charge_filter=(in_group + in_user).format("c"),
        rollup_user=people.format("r"),
        charge_user=people.format("c"),
        amounts=amounts(f"greatest(%(start)s, {DAY_START})", f"least(%(end)s, {DAY_END})"),
        charges_of_pairs=CHARGES_OF_PAIRS,
        columns="".join(f"{name}, " for name in columns),
        grouping=f"GROUP BY {', '.join(columns)}" if columns else "",
        labels="".join(f"{NAMED[name][0]}, " for name in dimensions),
        joins=" ".join(NAMED[name][1] for name in dimensions),
        ordering=", ".join(NAMED[name][2] for name in dimensions) or "1",
    )


CLEAN = """
NOT EXISTS (SELECT FROM pairs p
            WHERE p.day = r.day AND coalesce(p.group_id, 0) = coalesce(r.group_id, 0))
"""

DAYS = f"""
    SELECT r.day, r.group_id{{rollup_user}}, r.millicore_seconds, r.mib_seconds, r.gpu_seconds
    FROM {{rollup}} r
    WHERE r.day >= %(full_from)s AND r.day < %(full_to)s {{rollup_filter}} AND {CLEAN}
"""

# Summed months that lie within the window and have no stale day, and the days between them.
MONTHS = """
    SELECT m.month, (m.month + interval '1 month')::date AS next
    FROM accounting_summedmonth m
    WHERE m.month >= %(full_from)s AND m.month + interval '1 month' <= %(full_to)s
      AND NOT EXISTS (SELECT FROM pairs p
                      WHERE p.day >= m.month AND p.day < m.month + interval '1 month')
"""
MONTHS_AND_DAYS = f"""
    SELECT r.month AS day, NULL::bigint AS group_id, r.user_id,
           r.millicore_seconds, r.mib_seconds, r.gpu_seconds
    FROM ({MONTHS}) m JOIN accounting_usermonth r ON r.month = m.month
    UNION ALL
    SELECT r.* FROM (
        SELECT lag(next, 1, %(full_from)s) OVER (ORDER BY month) AS first, month AS next
        FROM ({MONTHS} UNION ALL SELECT %(full_to)s, NULL) m
    ) gap CROSS JOIN LATERAL (
        SELECT r.day, r.group_id, r.user_id, r.millicore_seconds, r.mib_seconds, r.gpu_seconds
        FROM accounting_userday r
        WHERE r.day >= gap.first AND r.day < gap.next AND {CLEAN}
        OFFSET 0
    ) r
    WHERE gap.first < gap.next
"""

STATEMENT = """
WITH pairs AS (
    SELECT s.day, s.group_id FROM hub_sessions_staleday s
    WHERE s.day >= %(first_day)s AND s.day <= %(last_day)s {stale_filter}
    UNION
    SELECT r.day, r.group_id FROM {rollup} r
    WHERE r.day = ANY(%(cut_days)s::date[]) {rollup_filter}
), parts AS (
    {rollup_rows}
    UNION ALL
    SELECT p.day, p.group_id{charge_user}, {amounts}
    FROM pairs p {charges_of_pairs}
    WHERE true {charge_filter}
    GROUP BY p.day, p.group_id{charge_user}
    UNION ALL
    SELECT p.day, c.group_id{charge_user}, {amounts}
    FROM hub_sessions_charge c
    CROSS JOIN LATERAL (
        SELECT generate_series(
            date_trunc('day', greatest(c.started_at, %(start)s), 'UTC'),
            least(%(at)s, %(end)s) - interval '1 microsecond',
            interval '1 day')::date AS day
    ) p
    WHERE c.ended_at IS NULL {charge_filter}
    GROUP BY p.day, c.group_id{charge_user}
), totals AS (
    SELECT {columns}sum(millicore_seconds) AS millicore_seconds, sum(mib_seconds) AS mib_seconds,
           sum(gpu_seconds) AS gpu_seconds
    FROM parts {grouping}
)
SELECT {labels}millicore_seconds, mib_seconds, gpu_seconds
FROM totals t {joins}
WHERE millicore_seconds <> 0 OR mib_seconds <> 0 OR gpu_seconds <> 0
ORDER BY {ordering}
"""


def _named(row: Sequence[Any]) -> Named | None:
    return None if row[0] is None else Named(*row)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _clock(moment: datetime) -> time:
    return moment.astimezone(UTC).time()
