"""Everybody who stores something, page by page: one statement, hence one snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection

from accounting.usage import PERSON
from sessions.storage.sums import NEWEST, OF_GROUP, OF_USER

ORDERS = {
    "used": "used",
    "percent": "percent",
    "files": "files",
    "taken": "taken_at",
    "name": 'name COLLATE "C"',
}
"""What the table may be sorted by; a `-` before it for the largest first."""

COLUMNS = "mount, used_bytes, files, limit_bytes, taken_at, is_stale"
USER_PK, USER_NAME, USER_TITLE = PERSON.split(", ", 2)

# What a file server enforces on a home counts before what is wanted; 0 is no limit there.
STATEMENT = f"""
WITH lines AS MATERIALIZED (
    SELECT 'user' AS kind, {USER_NAME} AS name, {USER_TITLE} AS title,
        sum(s.used_bytes) AS used, sum(s.files) AS files, q.wanted,
        max(floor(100 * s.used_bytes::numeric
            / nullif(coalesce(nullif(s.limit_bytes, 0), q.wanted), 0))) AS percent,
        bool_or(s.limit_bytes <> q.wanted) AS differs, count(*) AS mounts,
        min(s.taken_at) AS taken_at, bool_or(s.is_stale) AS stale
    FROM accounts_user u JOIN accounts_user o ON o.id = u.id
    CROSS JOIN LATERAL ({NEWEST.format(columns=COLUMNS, of_owner=OF_USER)}) s
    CROSS JOIN LATERAL (SELECT coalesce((
        SELECT h.limit_bytes FROM quotas_homequota h
        WHERE h.user_id = u.id AND h.valid_from <= %(at)s
            AND (h.valid_to IS NULL OR h.valid_to > %(at)s)
        ORDER BY h.valid_from DESC, h.id DESC LIMIT 1), %(home)s) AS wanted) q
    GROUP BY u.id, q.wanted
    UNION ALL
    SELECT 'group', o.name, o.title, sum(s.used_bytes), sum(s.files), q.limit_bytes,
        floor(100 * sum(s.used_bytes) / nullif(q.limit_bytes, 0)),
        count(s.limit_bytes) = count(*) AND sum(s.limit_bytes) <> q.limit_bytes, count(*),
        min(s.taken_at), bool_or(s.is_stale)
    FROM accounts_group o
    CROSS JOIN LATERAL ({NEWEST.format(columns=COLUMNS, of_owner=OF_GROUP)}) s
    LEFT JOIN (SELECT sq.group_id, sq.limit_bytes FROM quotas_storagequota sq
        JOIN quotas_allocationperiod p ON p.id = sq.period_id
        WHERE p.starts_on <= %(day)s AND p.ends_on > %(day)s) q ON q.group_id = o.id
    GROUP BY o.id, q.limit_bytes
), found AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY {{order}} NULLS LAST, kind, name COLLATE "C") AS place
    FROM lines
    WHERE %(search)s = '' OR strpos(lower(name || ' ' || title), %(search)s) > 0
), shown AS (
    SELECT greatest(1, least(%(page)s, ceil(count(*) / %(rows)s::float8))) * %(rows)s AS last,
        count(*) AS count
    FROM found
)
SELECT shown.count, found.* FROM shown
LEFT JOIN found ON place > last - %(rows)s AND place <= last
ORDER BY place
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """A person or a group with what is stored now, in bytes.

    `percent`: of a group's quota, or of that of the fullest home. `differs`: the file server
    enforces another limit than the one that is wanted.
    """

    kind: str
    name: str
    title: str
    used: int
    files: int | None
    wanted: int | None
    percent: int | None
    differs: bool
    mounts: int
    taken_at: datetime
    is_stale: bool


def owners(
    *, search: str, order: str, page: int, rows: int, at: datetime
) -> tuple[int, list[Owner]]:
    """How many were searched for, and those of the page; beyond the last page is the last."""
    asked: dict[str, Any] = {
        # PostgreSQL takes no NUL in a string.
        "search": search.strip().lower().replace("\0", ""),
        "page": page,
        "rows": rows,
        "at": at,
        "day": at.astimezone(UTC).date(),
        "home": settings.HOME_QUOTA_BYTES,
    }
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT.format(order=_order(order)), asked)
        found = cursor.fetchall()
    return found[0][0], [_owner(row) for row in found if row[1] is not None]


def known_order(text: str) -> str:
    """The order that an address asks for, if there is such a one: else the largest first."""
    return text if text.removeprefix("-") in ORDERS else "-used"


def _order(order: str) -> str:
    column = ORDERS[order.removeprefix("-")]
    return f"{column} DESC" if order.startswith("-") else column


def _owner(row: tuple[Any, ...]) -> Owner:
    _, kind, name, title, used, files, wanted, percent, differs, mounts, taken_at, stale, _ = row
    return Owner(
        kind=kind,
        name=name,
        title=title,
        used=int(used),
        files=None if files is None else int(files),
        wanted=wanted,
        percent=None if percent is None else int(percent),
        differs=bool(differs),
        mounts=mounts,
        taken_at=taken_at,
        is_stale=stale,
    )
