"""The one place of the formula: what charges take of a window of time.

A charge counts with the seconds by which [started, ended or `at`) overlaps [start, end), times its
resources, times its sign. Borders are floored to whole seconds, so that adjoining windows add up
to the last digit. The SQL pieces are shared with everything else that sums charges.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from django.db import connection

from accounts.models import Group
from quotas.vocabulary import Usage

# Charges longer than this are few and have an index of their own (`charge_long`).
LONG = "interval '1 day'"


def seconds(start: str, end: str, at: str = "%(at)s") -> str:
    """SQL for the seconds of the charge `c` within [start, end); an open one ends `at`."""
    return (
        f"greatest(0, floor(date_part('epoch', least(coalesce(c.ended_at, {at}), {end})))::bigint"
        f" - floor(date_part('epoch', greatest(c.started_at, {start})))::bigint)"
    )


# The fields of `Usage`, and what of a charge is multiplied with its seconds.
RESOURCES = {
    "millicore_seconds": "cpu_millicores",
    "mib_seconds": "memory_mib",
    "gpu_seconds": "gpus",
}


def sums(seconds: str, names: Iterable[str] = RESOURCES) -> str:
    """SQL for sums over charges `c`. The columns are called as the fields of `Usage`."""
    return ", ".join(
        f"coalesce(sum(c.sign * {seconds} * c.{RESOURCES[name]}), 0) AS {name}" for name in names
    )


def amounts(start: str, end: str, names: Iterable[str] = RESOURCES) -> str:
    """SQL for sums over charges `c`, clipped to [start, end); open ones end %(at)s."""
    return sums(seconds(start, end), names)


# The three sums over charges `c` from end to end; open ones end %(at)s. A hub may claim that two
# thousand years were spent on two million cores: more than a bigint holds.
WHOLE = sums(seconds("'-infinity'", "'infinity'") + "::numeric")


def longest(group: str) -> str:
    """SQL for an upper bound of the length of the closed charges for which `group` holds.

    `group` is a condition on `l.group_id`. With the bound, the charges of a window are one stretch
    of the index on group and start, however old the group is.
    """
    return (
        f"greatest({LONG}, (SELECT max(l.ended_at - l.started_at) FROM hub_sessions_charge l"
        f" WHERE {group} AND l.ended_at - l.started_at > {LONG}))"
    )


CPU = ("millicore_seconds",)

# Months within [start, end), as far as they were summed for the group and have no stale day.
MONTHS = """
SELECT m.*, m.month::timestamp AT TIME ZONE 'UTC' AS first,
       m.until::timestamp AT TIME ZONE 'UTC' AS past
FROM hub_sessions_groupmonth m
WHERE m.group_id = {group} AND m.month >= %(start)s AT TIME ZONE 'UTC'
  AND m.until <= %(end)s AT TIME ZONE 'UTC'
  AND NOT EXISTS (
    SELECT FROM hub_sessions_staleday s
    WHERE s.group_id = {group} AND s.day >= m.month AND s.day < m.until)
"""


def used_by(group: str, *, names: Collection[str] = CPU) -> str:
    """SQL for what the group used in [start, end): a row with the sums.

    Months that were summed, closed charges of the stretches between them, and open charges, all
    under one snapshot.
    """
    closed = _charges(group, "gap.first", "gap.past", names)
    return f"""
    SELECT {", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in names)} FROM (
        WITH months AS MATERIALIZED ({MONTHS.format(group=group)})
        SELECT {", ".join(names)} FROM months
        UNION ALL
        SELECT c.* FROM (
            SELECT lag(past, 1, %(start)s) OVER (ORDER BY first) AS first, first AS past
            FROM (SELECT first, past FROM months UNION ALL SELECT %(end)s, NULL) m
        ) gap CROSS JOIN LATERAL (
            SELECT {amounts("gap.first", "gap.past", names)} FROM ({closed}) c
        ) c
        WHERE gap.first < gap.past
        UNION ALL
        SELECT {amounts("%(start)s", "%(end)s", names)} FROM ({_running(group, names)}) c
    ) parts
    """


def used_by_person(group: str, user: str) -> str:
    """SQL for the millicore-seconds that a person used in the group in [start, end)."""
    whose = f"AND user_id = {user}"
    return f"""
    SELECT {amounts("%(start)s", "%(end)s", CPU)}
    FROM (
        {_charges(group, "%(start)s", "%(end)s", CPU)} {whose}
        UNION ALL
        {_running(group, CPU)} {whose}
    ) c
    """


def _charges(group: str, start: str, end: str, names: Iterable[str]) -> str:
    """SQL for the closed charges of the group that overlap [start, end): a stretch of its index."""
    return f"""
    SELECT started_at, ended_at, sign, {", ".join(RESOURCES[name] for name in names)}
    FROM hub_sessions_charge
    WHERE group_id = {group} AND ended_at > {start} AND started_at < {end}
      AND started_at > {start} - {longest(f"l.group_id = {group}")}"""


def _running(group: str, names: Iterable[str]) -> str:
    return f"""
    SELECT started_at, ended_at, sign, {", ".join(RESOURCES[name] for name in names)}
    FROM hub_sessions_charge
    WHERE group_id = {group} AND ended_at IS NULL AND started_at < %(end)s"""


USED = used_by("%(group)s", names=RESOURCES)

OF_SESSIONS = f"""
SELECT c.session_id, {sums(seconds("%(start)s", "%(end)s") + "::numeric")}
FROM hub_sessions_charge c
WHERE c.session_id = ANY(%(sessions)s) {{paid}}
GROUP BY c.session_id
"""

# Which charges count, by the columns `user` and `group`: a key, several, or None for those without.
Paid = Mapping[str, int | list[int] | None]


def paid_sql(paid: Paid) -> str:
    """SQL for the condition on charges `c`; its parameters are called as the columns."""
    return "".join(f" AND {_payer(name, key)}" for name, key in paid.items())


def _payer(name: str, key: int | list[int] | None) -> str:
    if key is None:
        return f"c.{name}_id IS NULL"
    return f"c.{name}_id = " + (f"ANY(%({name})s)" if isinstance(key, list) else f"%({name})s")


EVER = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


def used(*, group: Group, start: datetime, end: datetime, at: datetime) -> Usage:
    """What the group used in [start, end), running charges counted up to `at`. Exact integers."""
    with connection.cursor() as cursor:
        cursor.execute(USED, {"group": group.pk, "start": start, "end": end, "at": at})
        return usage(cursor.fetchone())


def session_usage(
    numbers: Sequence[int],
    *,
    at: datetime,
    window: tuple[datetime, datetime] = EVER,
    paid: Paid = MappingProxyType({}),
) -> dict[int, Usage]:
    """What each session used within the window, counted up to `at` while it runs.

    `paid` leaves out what other people or groups than these were charged for it.
    """
    found = dict.fromkeys(numbers, Usage())
    parameters: dict[str, Any] = {
        "sessions": list(found),
        "start": window[0],
        "end": window[1],
        "at": at,
        **paid,
    }
    with connection.cursor() as cursor:
        cursor.execute(OF_SESSIONS.format(paid=paid_sql(paid)), parameters)
        found.update((number, usage(row)) for number, *row in cursor.fetchall())
    return found


def usage(row: Sequence[Any]) -> Usage:
    """The three sums as PostgreSQL gives them (numeric) as exact integers."""
    return Usage(*map(int, row))


@dataclass(frozen=True, slots=True)
class Term:
    """Seconds at one rate, as the formula multiplies them; sign -1 takes back."""

    seconds: int
    cpu_millicores: int
    sign: int

    @property
    def millicore_seconds(self) -> int:
        return self.sign * self.seconds * self.cpu_millicores


TERMS = f"""
SELECT w.place, c.sign, c.cpu_millicores, sum({seconds("w.first", "w.past")}::numeric)
FROM hub_sessions_charge c
CROSS JOIN unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[])
    WITH ORDINALITY w (first, past, place)
WHERE c.session_id = %(session)s
GROUP BY w.place, c.sign, c.cpu_millicores
HAVING sum({seconds("w.first", "w.past")}::numeric) > 0
ORDER BY w.place, c.sign DESC, c.cpu_millicores
"""


def session_terms(
    number: int, windows: Sequence[tuple[datetime, datetime]], *, at: datetime
) -> list[list[Term]]:
    """What the formula multiplies for a session within each of the windows, up to `at`."""
    found: list[list[Term]] = [[] for _ in windows]
    starts, ends = [start for start, _ in windows], [end for _, end in windows]
    parameters: dict[str, Any] = {"session": number, "starts": starts, "ends": ends, "at": at}
    with connection.cursor() as cursor:
        cursor.execute(TERMS, parameters)
        for place, sign, millicores, length in cursor.fetchall():
            found[place - 1].append(Term(int(length), millicores, sign))
    return found
