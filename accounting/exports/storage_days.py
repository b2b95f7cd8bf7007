"""Days of storage as receivers want them: the last sample of each owner and mount, by UTC day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import connection, transaction

from accounting.models import StorageExport
from lsp_portal.lib import advisory

# Whose group answers for a home: the default one where the person belonged to it then, else the one
# joined first. For the area of a group its PI stands, the first one then.
STORED = """
SELECT DISTINCT ON (s.mount, s.user_id, s.group_id)
    s.mount, s.taken_at, s.used_bytes, s.files, s.soft_bytes, s.limit_bytes,
    coalesce(u.username, pi.username), u.username IS NOT NULL, coalesce(g.name, own.name)
FROM hub_sessions_storagesample s
LEFT JOIN accounts_user u ON u.id = s.user_id
LEFT JOIN accounts_group g ON g.id = s.group_id
LEFT JOIN LATERAL (
    SELECT o.name FROM accounts_membership m JOIN accounts_group o ON o.id = m.group_id
    WHERE m.user_id = u.id AND m.valid_from <= s.taken_at
      AND (m.valid_to IS NULL OR m.valid_to > s.taken_at)
    ORDER BY o.id IS NOT DISTINCT FROM u.default_group_id DESC, m.valid_from, m.id LIMIT 1
) own ON true
LEFT JOIN LATERAL (
    SELECT p.username FROM accounts_membership m JOIN accounts_user p ON p.id = m.user_id
    WHERE m.group_id = g.id AND m.role = 'pi' AND m.valid_from <= s.taken_at
      AND (m.valid_to IS NULL OR m.valid_to > s.taken_at)
    ORDER BY m.valid_from, m.id LIMIT 1
) pi ON true
WHERE s.taken_at >= %(start)s AND s.taken_at < %(end)s AND NOT s.is_stale
ORDER BY s.mount, s.user_id, s.group_id, s.taken_at DESC
"""

DAYS = """
SELECT DISTINCT (taken_at AT TIME ZONE 'UTC')::date AS day FROM hub_sessions_storagesample
WHERE taken_at < %(today)s AND NOT is_stale ORDER BY day
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """What an owner stored on a mount at the end of a day; amounts in bytes, limits of 0 are none.

    `user` is the person of a home, or a PI of the group; `group` answers for it. Either may be
    missing.
    """

    mount: str
    taken_at: datetime
    used_bytes: int
    files: int | None
    soft_bytes: int | None
    hard_bytes: int | None
    user: str | None
    is_home: bool
    group: str | None


@dataclass(slots=True)
class Written:
    """Days and records that were written, and what was left out, by reason."""

    days: int = 0
    records: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def stored_on(day: date) -> Iterator[Stored]:
    """The samples of a day that no later one of that day replaces; stale ones do not count."""
    start = datetime.fromisoformat(f"{day}T00:00:00Z")
    with connection.cursor() as cursor:
        cursor.execute(STORED, {"start": start, "end": start + timedelta(days=1)})
        while chunk := cursor.fetchmany(2000):
            yield from (Stored(*row) for row in chunk)


@contextmanager
def due_days(receiver: str, *, at: datetime) -> Iterator[list[date]]:
    """The days that are over and that the receiver was not given; one exporter at a time."""
    with advisory.held(f"storage for {receiver}"):
        today = at.replace(hour=0, minute=0, second=0, microsecond=0)
        with connection.cursor() as cursor:
            cursor.execute(DAYS, {"today": today})
            days = [day for (day,) in cursor.fetchall()]
        given = set(StorageExport.objects.filter(receiver=receiver).values_list("day", flat=True))
        yield [day for day in days if day not in given]


def mark(receiver: str, day: date, *, records: int, at: datetime) -> None:
    """The receiver was given the day."""
    with transaction.atomic():
        StorageExport.objects.create(receiver=receiver, day=day, records=records, written_at=at)
