"""A group's usage by person, and day by day for those who use most: one statement, one snapshot.

However many people there are, a chart draws a few of them by name and the others as one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import connection

from accounting.parts import parts
from accounting.rollups import SOMETHING, SUMMED, SUMS
from accounting.usage import (
    PERSON,
    DayUsage,
    DayUserUsage,
    UserUsage,
    Window,
    named,
    parameters,
)
from accounts.models import Group
from quotas.vocabulary import Usage
from sessions.usage import usage


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Everybody's sum, those of most use first; days of the first of them, and of all others."""

    people: list[UserUsage] = field(default_factory=list)
    largest: list[DayUserUsage] = field(default_factory=list)
    others: list[DayUsage] = field(default_factory=list)

    @property
    def total(self) -> Usage:
        return sum((row.usage for row in self.people), Usage())


def of_group(group: Group, window: Window, *, largest: int) -> Breakdown:
    """The group in the window; so many people are shown day by day."""
    found = Breakdown()
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, {**parameters(window, group=group), "largest": largest})
        for day, is_person, *person_and_sums in cursor.fetchall():
            person, sums = named(person_and_sums[:3]), usage(person_and_sums[3:])
            if day is None:
                found.people.append(UserUsage(person, sums))
            elif is_person:
                found.largest.append(DayUserUsage(day, person, sums))
            else:
                found.others.append(DayUsage(day, sums))
    return found


STATEMENT = (
    parts(by_person=True, of_group=True)
    + f"""
, days AS MATERIALIZED (
    SELECT * FROM (SELECT day, user_id, {SUMMED} FROM parts GROUP BY day, user_id) t
    WHERE {SOMETHING}
), people AS MATERIALIZED (
    SELECT t.*, row_number() OVER (ORDER BY millicore_seconds DESC, username COLLATE "C") AS place
    FROM (SELECT user_id, {SUMMED} FROM days GROUP BY user_id) t
    LEFT JOIN accounts_user u ON u.id = t.user_id
), found AS (
    SELECT place, NULL::date AS day, true AS is_person, user_id, {SUMS} FROM people
    UNION ALL
    SELECT p.place, d.day, true, d.user_id, d.millicore_seconds, d.mib_seconds, d.gpu_seconds
    FROM people p JOIN days d ON coalesce(d.user_id, 0) = coalesce(p.user_id, 0)
    WHERE p.place <= %(largest)s
    UNION ALL
    SELECT NULL, d.day, false, NULL, sum(d.millicore_seconds), sum(d.mib_seconds),
        sum(d.gpu_seconds)
    FROM people p JOIN days d ON coalesce(d.user_id, 0) = coalesce(p.user_id, 0)
    WHERE p.place > %(largest)s
    GROUP BY d.day
)
SELECT day, is_person, {PERSON}, {SUMS}
FROM found f LEFT JOIN accounts_user u ON u.id = f.user_id
ORDER BY place, day
"""
)
