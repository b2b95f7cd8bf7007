"""The reconciliation sheet: what was exported of a hub against its ledger, by month and group.

For each UTC month and each group that published or pays for anything,

    exported + changed since + not exported + running + workers = ledger

in exact core-seconds. Open XDMoD counts whole CPUs: it shows `exported + rounding`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from django.db import connection

from accounting.exports.manifest import core_seconds
from sessions.models import Hub
from sessions.usage import seconds

NOBODY = "(nobody)"

# Pieces `c` as the formula reads charges: as published, and as the ledger has them.
PIECES = """
SELECT m.group_name AS payer, 'exported' AS part, m.started_at, m.ended_at, 1 AS sign,
       m.cpu_millicores, m.cpus * 1000 - m.cpu_millicores AS rounding
FROM accounting_exportmark m JOIN accounting_exportrun r ON r.id = m.run_id
WHERE r.hub_id = %(hub)s
UNION ALL
SELECT coalesce(g.name, %(nobody)s), CASE
           WHEN l.origin NOT IN ('notebook', 'adjustment') THEN 'workers'
           WHEN m.session_id IS NOT NULL THEN 'published'
           WHEN s.ended_at IS NULL THEN 'running'
           ELSE 'not_exported'
       END, l.started_at, l.ended_at, l.sign, l.cpu_millicores, 0
FROM hub_sessions_session s
JOIN hub_sessions_charge l ON l.session_id = s.number
LEFT JOIN accounts_group g ON g.id = l.group_id
LEFT JOIN accounting_exportmark m ON m.session_id = s.number
WHERE s.hub_id = %(hub)s
"""

MONTHS = """
generate_series(
    date_trunc('month', c.started_at AT TIME ZONE 'UTC'),
    coalesce(c.ended_at, %(at)s) AT TIME ZONE 'UTC', interval '1 month')
"""
WITHIN = seconds("w.month AT TIME ZONE 'UTC'", "(w.month + interval '1 month') AT TIME ZONE 'UTC'")


def _part(name: str) -> str:
    return f"coalesce(sum(amount) FILTER (WHERE part = '{name}'), 0)"


SHEET = f"""
SELECT month::date, payer, {_part("exported")}, sum(rounding), {_part("published")},
       {_part("not_exported")}, {_part("running")}, {_part("workers")}
FROM (
    SELECT w.month, c.payer, c.part, c.sign * {WITHIN}::numeric * c.cpu_millicores AS amount,
           {WITHIN}::numeric * c.rounding AS rounding
    FROM ({PIECES}) c CROSS JOIN LATERAL {MONTHS} AS w(month)
) piece
GROUP BY month, payer
HAVING bool_or(amount <> 0 OR rounding <> 0)
ORDER BY month, payer
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A month of a group, in millicore-seconds; `published`: the ledger of what was exported."""

    month: str
    group: str
    exported: int
    rounding: int
    published: int
    not_exported: int
    running: int
    workers: int

    @property
    def ledger(self) -> int:
        return self.published + self.not_exported + self.running + self.workers

    def cells(self) -> list[str]:
        """The cells below `COLUMNS`."""
        amounts = (
            self.exported,
            self.rounding,
            self.exported + self.rounding,
            self.published - self.exported,
            self.not_exported,
            self.running,
            self.workers,
            self.ledger,
        )
        return [self.month, self.group, *map(core_seconds, amounts)]


COLUMNS = (
    "month",
    "group",
    "exported",
    "rounding to whole CPUs",
    "as Open XDMoD counts",
    "changed since the export",
    "ended, not exported",
    "running",
    "Dask workers and batch",
    "ledger",
)
AMOUNTS = tuple(field.name for field in fields(Row) if field.name not in ("month", "group"))


def rows(hub: Hub, *, at: datetime) -> Iterator[Row]:
    """The sheet's rows, by month and group; what runs counts up to `at`. Within a transaction."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(SHEET, {"hub": hub.pk, "at": at, "nobody": NOBODY})
        while chunk := cursor.fetchmany(2000):
            for month, group, *amounts in chunk:
                yield Row(f"{month:%Y-%m}", group, *map(int, amounts))


def total(before: Row, row: Row) -> Row:
    """The sum of both."""
    sums = {name: getattr(before, name) + getattr(row, name) for name in AMOUNTS}
    return Row("total", "", **sums)


NOTHING = Row("total", "", **dict.fromkeys(AMOUNTS, 0))
