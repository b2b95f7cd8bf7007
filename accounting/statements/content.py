"""What a statement says: the truth of a period, what was stated about it, and its canonical form.

The truth is summed from charges alone, apart from the roll-ups.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from hashlib import sha256

from django.db import connection

from accounting.models import Statement, StatementLine
from sessions.usage import seconds, sums

Key = tuple[int | None, int | None]
"""Group and person."""

FORMAT = "lsp-portal-statement-1"

TRUTH = f"""
SELECT group_id, user_id, sum(millicore_seconds), sum(mib_seconds), sum(gpu_seconds),
       count(*) FILTER (WHERE millicore_seconds <> 0)
FROM (
    SELECT c.group_id, c.user_id, {sums(seconds("%(start)s", "%(end)s") + "::numeric")}
    FROM hub_sessions_charge c
    WHERE c.started_at < %(end)s AND (c.ended_at IS NULL OR c.ended_at > %(start)s) {{narrow}}
    GROUP BY c.group_id, c.user_id, c.session_id
) t
GROUP BY group_id, user_id
"""

STATED = """
SELECT group_id, user_id, sum(millicore_seconds), sum(mib_seconds), sum(gpu_seconds), sum(sessions)
FROM accounting_statementline
WHERE about_id = %s AND kind <> 'group'
GROUP BY group_id, user_id
"""


@dataclass(frozen=True, slots=True)
class Sums:
    """Exact integers, and the number of sessions that used something."""

    millicore_seconds: int = 0
    mib_seconds: int = 0
    gpu_seconds: int = 0
    sessions: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(a + b for a, b in zip(self.values, other.values, strict=True)))

    def __sub__(self, other: Sums) -> Sums:
        return Sums(*(a - b for a, b in zip(self.values, other.values, strict=True)))

    @property
    def values(self) -> tuple[int, int, int, int]:
        return self.millicore_seconds, self.mib_seconds, self.gpu_seconds, self.sessions


NOTHING = Sums()


def truth(*, start: datetime, end: datetime, at: datetime) -> dict[Key, Sums]:
    """What each person used in each group in [start, end), by the charges of now."""
    return _sums(TRUTH.format(narrow=""), {"start": start, "end": end, "at": at})


def truth_of_group(group: int, *, start: datetime, end: datetime, at: datetime) -> dict[Key, Sums]:
    """The same of one group."""
    narrow = "AND c.group_id = %(group)s"
    parameters: dict[str, datetime | int] = {"group": group, "start": start, "end": end, "at": at}
    return _sums(TRUTH.format(narrow=narrow), parameters)


def stated(statement: Statement) -> dict[Key, Sums]:
    """What was stated about the statement's period so far, in it and in those after it."""
    return _sums(STATED, [statement.pk])


def due(statement: Statement, *, at: datetime) -> dict[Key, Sums]:
    """What the next statement has to correct about this one's period."""
    start, end = (_moment(day) for day in (statement.starts_on, statement.ends_on))
    return difference(truth(start=start, end=end, at=at), stated(statement))


def difference(now: dict[Key, Sums], before: dict[Key, Sums]) -> dict[Key, Sums]:
    """Where the two differ, and by how much."""
    found = {
        key: now.get(key, NOTHING) - before.get(key, NOTHING) for key in now.keys() | before.keys()
    }
    return {key: sums for key, sums in found.items() if sums != NOTHING}


def digest(statement: Statement, lines: Iterable[StatementLine]) -> str:
    """The SHA-256 of the canonical content, which includes the hash before, in hexadecimal.

    JSON in ASCII without spaces, keys and lines in order, times in UTC.
    """
    content = {
        "format": FORMAT,
        "number": statement.number,
        "title": statement.title,
        "starts_on": statement.starts_on.isoformat(),
        "ends_on": statement.ends_on.isoformat(),
        "closed_at": statement.closed_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "author": statement.author_id,
        "previous": statement.previous_hash,
        "lines": sorted(_line(line) for line in lines),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _line(line: StatementLine) -> list[int | str]:
    return [
        line.about_id,
        line.kind,
        line.group_id or 0,
        line.user_id or 0,
        line.group_name,
        line.group_title,
        line.role,
        line.millicore_seconds,
        line.mib_seconds,
        line.gpu_seconds,
        line.sessions,
    ]


def _sums(statement: str, parameters: Mapping[str, datetime | int] | list[int]) -> dict[Key, Sums]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found = {(group, user): Sums(*map(int, sums)) for group, user, *sums in cursor.fetchall()}
    return {key: sums for key, sums in found.items() if sums != NOTHING}


def _moment(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
