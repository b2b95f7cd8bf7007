"""A group's people with what each used, page by page, and the days of those who used most.

One statement, hence one snapshot. However many people there are, a page shows some of them, and a
chart draws a few by name and the others as one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from accounting.parts import CLEAN, parts
from accounting.rollups import SOMETHING, SUMMED, SUMS
from accounting.usage import (
    PERSON,
    DayUsage,
    DayUserUsage,
    Named,
    Window,
    named,
    parameters,
)
from accounts.models import Group
from quotas.vocabulary import Usage
from sessions.usage import usage


@dataclass(frozen=True, slots=True)
class Member:
    """`user` None: people whom the portal does not know; without a role, one who has left."""

    user: Named | None
    role: str
    usage: Usage


@dataclass(slots=True)
class Breakdown:
    """Members and others who used something: `count` in all, `members` those of the page.

    `largest` has the days of those who used most, in their order, and `others` those of the other
    `other_people`.
    """

    total: Usage = field(default_factory=Usage)
    count: int = 0
    other_people: int = 0
    members: list[Member] = field(default_factory=list)
    largest: list[DayUserUsage] = field(default_factory=list)
    others: list[DayUsage] = field(default_factory=list)


def of_group(
    group: Group, window: Window, *, largest: int, page: int = 1, rows: int | None = None
) -> Breakdown:
    """The group in the window, most use first; members are those of `window.at`.

    So many people are shown day by day. A page has so many rows, None: all; beyond the last page
    is the last.
    """
    asked = {"largest": largest, "page": page, "rows": rows}
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, {**parameters(window, group=group), **asked})
        return _found(cursor.fetchall())


def _found(rows: list[tuple[Any, ...]]) -> Breakdown:
    found = Breakdown()
    for kind, number, day, role, *person_and_sums in rows:
        person, sums = named(person_and_sums[:3]), usage(person_and_sums[3:])
        match kind:
            case "total":
                found.total, found.count = sums, number
            case "member":
                found.members.append(Member(person, role or "", sums))
            case "largest":
                found.largest.append(DayUserUsage(day, person, sums))
            case _:
                found.others.append(DayUsage(day, sums))
                found.other_people = number
    return found


# The days of one person come one by one from the key of the roll-up, in which days stand in front
# of people. A range of one person keeps the planner from the index of people, which has the days of
# all their groups.
DAYS_OF_PERSON = f"""
    SELECT r.day, r.millicore_seconds, r.mib_seconds, r.gpu_seconds
    FROM generate_series(0, %(full_to)s - %(full_from)s - 1) n CROSS JOIN LATERAL (
        SELECT * FROM accounting_userday
        WHERE group_id = %(group)s AND day = %(full_from)s + n
          AND user_id BETWEEN p.user_id AND p.user_id
        UNION ALL
        SELECT * FROM accounting_userday
        WHERE group_id = %(group)s AND day = %(full_from)s + n
          AND user_id IS NULL AND p.user_id IS NULL
    ) r
    WHERE {CLEAN}
"""
NEGATIVE = ", ".join(f"-{name}" for name in SUMS.split(", "))

STATEMENT = (
    parts(by_person=True, of_group=True, months="accounting_membermonth")
    + f"""
, roles AS (
    SELECT DISTINCT ON (user_id) user_id, role FROM accounts_membership
    WHERE group_id = %(group)s AND valid_from <= %(at)s AND (valid_to IS NULL OR valid_to > %(at)s)
    ORDER BY user_id, array_position(ARRAY['pi', 'manager', 'member'], role::text)
), sums AS (
    SELECT * FROM (SELECT user_id, {SUMMED} FROM parts GROUP BY user_id) t WHERE {SOMETHING}
), people AS MATERIALIZED (
    SELECT coalesce(s.user_id, r.user_id) AS user_id, role, s.millicore_seconds IS NULL AS is_idle,
           coalesce(millicore_seconds, 0) AS millicore_seconds,
           coalesce(mib_seconds, 0) AS mib_seconds, coalesce(gpu_seconds, 0) AS gpu_seconds,
           row_number() OVER (ORDER BY coalesce(millicore_seconds, 0) DESC,
                              coalesce(username, '') COLLATE "C") AS place
    FROM sums s FULL JOIN roles r ON r.user_id = s.user_id
    LEFT JOIN accounts_user u ON u.id = coalesce(s.user_id, r.user_id)
), shown AS (
    SELECT least(%(page)s, ceil(count(*) / %(rows)s::float8)) * %(rows)s AS last FROM people
), days AS (
    SELECT r.day, r.millicore_seconds, r.mib_seconds, r.gpu_seconds FROM accounting_groupday r
    WHERE r.group_id = %(group)s AND r.day >= %(full_from)s AND r.day < %(full_to)s AND {CLEAN}
    UNION ALL
    SELECT day, {SUMS} FROM live
), largest AS MATERIALIZED (
    SELECT p.place, d.day, p.user_id, {SUMMED}
    FROM (SELECT place, user_id FROM people WHERE place <= %(largest)s AND NOT is_idle) p
    CROSS JOIN LATERAL (
        {DAYS_OF_PERSON}
        UNION ALL
        SELECT day, {SUMS} FROM live WHERE coalesce(user_id, 0) = coalesce(p.user_id, 0)
    ) d
    GROUP BY p.place, d.day, p.user_id
), others AS (
    SELECT day, {SUMMED} FROM (
        SELECT day, {SUMS} FROM days UNION ALL SELECT day, {NEGATIVE} FROM largest
    ) t GROUP BY day
), found AS (
    SELECT 'total' AS kind, count(*) AS number, NULL::date AS day, NULL AS role,
           NULL::bigint AS user_id, {SUMMED}
    FROM people
    UNION ALL
    SELECT 'member', place, NULL, role, user_id, {SUMS} FROM people, shown
    WHERE last IS NULL OR place > last - %(rows)s AND place <= last
    UNION ALL
    SELECT 'largest', place, day, NULL, user_id, {SUMS} FROM largest
    UNION ALL
    SELECT 'others', (SELECT count(*) FROM people WHERE place > %(largest)s AND NOT is_idle), day,
           NULL, NULL, {SUMS}
    FROM others WHERE {SOMETHING}
)
SELECT f.kind, number, day, role, {PERSON}, coalesce(millicore_seconds, 0),
       coalesce(mib_seconds, 0), coalesce(gpu_seconds, 0)
FROM found f LEFT JOIN accounts_user u ON u.id = f.user_id
ORDER BY number, day
"""
)
