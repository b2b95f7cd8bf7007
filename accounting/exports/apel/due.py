"""Which sessions APEL has to be told about: those it does not know, or knows otherwise, as SQL.

A session is published as it is charged: as its evidence says, or as the adjustment in force books
it. Sessions that have not ended are published for the months that are over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from accounting.exports.apel.records import Booked, Site
from accounting.exports.lines import TOLD_AS_ANOTHER
from sessions.models import Hub

MONTH = "date_trunc('month', %(cut)s, 'UTC')"
SAME = "(user_id, group_id, started_at, ended_at, cpu_millicores, memory_mib, gpus)"


def _row(alias: str) -> str:
    return SAME.replace("(", f"({alias}.").replace(", ", f", {alias}.")


# The notebook charge `n`; the charge `b` that the last adjustment booked, and `t`, what the
# adjustments in force took back of the evidence; `c` is what counts.
CHARGED = f"""
FROM hub_sessions_session s
JOIN hub_sessions_charge n ON n.session_id = s.number AND n.origin = 'notebook'
LEFT JOIN LATERAL (
    SELECT b.* FROM hub_sessions_adjustment a JOIN hub_sessions_charge b ON b.id = a.booked_id
    WHERE a.session_id = s.number ORDER BY a.id DESC LIMIT 1
) b ON true
LEFT JOIN LATERAL (
    SELECT t.* FROM hub_sessions_adjustment a JOIN hub_sessions_charge t ON t.id = a.taken_back_id
    WHERE a.session_id = s.number AND a.from_evidence ORDER BY a.id DESC LIMIT 1
) t ON true
JOIN hub_sessions_charge c
    ON c.id = CASE WHEN b.id IS NOT NULL AND {_row("b")} IS DISTINCT FROM {_row("t")}
              THEN b.id ELSE n.id END
LEFT JOIN accounts_user u ON u.id = c.user_id
LEFT JOIN accounts_group g ON g.id = c.group_id
LEFT JOIN accounting_apelgroup f ON f.group_id = c.group_id
LEFT JOIN LATERAL (
    SELECT i.subject FROM accounts_identity i
    WHERE i.user_id = u.id AND i.provider = %(provider)s ORDER BY i.id LIMIT 1
) i ON true
WHERE s.hub_id = %(hub)s
  AND (c.ended_at < %(cut)s OR c.ended_at IS NULL AND c.started_at < {MONTH})
"""

COLUMNS = """
s.key, s.number, coalesce(u.username, ''), coalesce(i.subject, u.username, ''),
coalesce(g.name, ''), coalesce(f.fqan, '/' || g.name, ''),
c.cpu_millicores, c.memory_mib, c.gpus, s.image, s.pod, c.started_at, c.ended_at
"""

REASON = f"""
CASE WHEN c.user_id IS NULL OR c.group_id IS NULL THEN 'unattributed'
     WHEN c.started_at < '1970-01-02Z' THEN 'starts_before_1970'
     WHEN c.id = b.id AND {_row("t")} IS DISTINCT FROM {_row("n")} THEN 'evidence_after_adjustment'
END
"""

DUE = f"""
SELECT d.*, ARRAY(SELECT m.month FROM accounting_apelmark m WHERE m.session_id = d.number)
FROM (
    SELECT {COLUMNS}, {TOLD_AS_ANOTHER} AS is_another, {REASON} AS reason,
           md5(row({COLUMNS}, %(site)s, CASE WHEN c.ended_at IS NULL THEN {MONTH} END)::text)
               AS source
    {CHARGED}
) d
WHERE NOT EXISTS (
    SELECT FROM accounting_apelmark m WHERE m.session_id = d.number AND m.source = d.source)
  AND (NOT d.is_another OR EXISTS (
    SELECT FROM accounting_apelmark m WHERE m.session_id = d.number))
ORDER BY d.number
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A session to be told; `reason` says why that cannot be, `source` what it follows from."""

    booked: Booked
    start: datetime
    end: datetime | None
    reason: str | None
    source: str
    published: frozenset[date]


def due(hub: Hub, site: Site, *, cut: datetime, provider: str) -> Iterator[Due]:
    """The sessions, by number. To be called within a transaction, which keeps the cursor open."""
    parameters: dict[str, Any] = {
        "hub": hub.pk,
        "cut": cut,
        "provider": provider,
        "site": str(asdict(site)),
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC'")
    with connection.chunked_cursor() as cursor:
        cursor.execute(DUE, parameters)
        while chunk := cursor.fetchmany(2000):
            yield from map(_due, chunk)


def _due(row: Sequence[Any]) -> Due:
    *booked, start, end, _, reason, source, published = row
    return Due(Booked(*booked), start, end, reason, source, frozenset(published))
