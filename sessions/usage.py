"""The one place of the formula: what charges take of a window of time.

A charge counts with the seconds by which [started, ended or `at`) overlaps [start, end), times its
resources, times its sign. Borders are floored to whole seconds, so that adjoining windows add up
to the last digit. The SQL pieces are shared with everything else that sums charges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def sums(seconds: str) -> str:
    """SQL for the three sums over charges `c`. The columns are called as the fields of `Usage`."""
    return (
        f"coalesce(sum(c.sign * {seconds} * c.cpu_millicores), 0) AS millicore_seconds,"
        f" coalesce(sum(c.sign * {seconds} * c.memory_mib), 0) AS mib_seconds,"
        f" coalesce(sum(c.sign * {seconds} * c.gpus), 0) AS gpu_seconds"
    )


def amounts(start: str, end: str) -> str:
    """SQL for the three sums over charges `c`, clipped to [start, end); open ones end %(at)s."""
    return sums(seconds(start, end))


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


def used_by(group: str, *, user: str = "") -> str:
    """SQL for what the group, or a person in it, used in [start, end): a row with three sums."""
    by_person = f"AND user_id = {user}" if user else ""
    return f"""
    SELECT {amounts("%(start)s", "%(end)s")}
    FROM (
        SELECT * FROM hub_sessions_charge
        WHERE group_id = {group} {by_person} AND ended_at > %(start)s AND started_at < %(end)s
          AND started_at > %(start)s - {longest(f"l.group_id = {group}")}
        UNION ALL
        SELECT * FROM hub_sessions_charge
        WHERE group_id = {group} {by_person} AND ended_at IS NULL AND started_at < %(end)s
    ) c
    """


USED = used_by("%(group)s")

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
