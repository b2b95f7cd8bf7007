"""How much groups use in a day, from their charges: what every forecast starts from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson

from lsp_portal.lib.prepared import Prepared
from quotas.forecast import DAYS, Pace
from sessions.usage import longest, seconds

DAY_START = "p.day::timestamp AT TIME ZONE 'UTC'"
DAY_END = "(p.day + 1)::timestamp AT TIME ZONE 'UTC'"

# Whole numbers up to 2^53 stay exact as float8; a pace is an estimate beyond that as well.
PACES = Prepared(
    "group_paces",
    f"""
    SELECT json_agg(json_build_object(
        'id', g.id, 'since', (g.created_at AT TIME ZONE 'UTC')::date, 'used', (
            SELECT json_object_agg(t.day, t.used) FROM (
                SELECT p.day,
                    sum(c.sign * {seconds(DAY_START, DAY_END)} * c.cpu_millicores)::float8 AS used
                FROM (
                    SELECT * FROM hub_sessions_charge
                    WHERE group_id = g.id AND ended_at > %(start)s AND started_at < %(end)s
                      AND started_at > %(start)s - {longest("l.group_id = g.id")}
                    UNION ALL
                    SELECT * FROM hub_sessions_charge
                    WHERE group_id = g.id AND ended_at IS NULL AND started_at < %(end)s
                ) c CROSS JOIN LATERAL (
                    SELECT generate_series(
                        date_trunc('day', greatest(c.started_at, %(start)s), 'UTC'),
                        least(c.ended_at, %(end)s) - interval '1 microsecond',
                        interval '1 day')::date AS day
                ) p
                GROUP BY p.day
            ) t)
    ))::text
    FROM accounts_group g WHERE g.id = ANY(%(groups)s)
    """,
    groups="bigint[]",
    start="timestamptz",
    end="timestamptz",
    at="timestamptz",
)


def paces(groups: Collection[int], *, at: datetime) -> dict[int, Pace | None]:
    """The pace of each group (by id) over the last 28 full UTC days, in one statement.

    Days before a group began are left out; None where fewer than seven remain.
    """
    end = datetime.combine(at.astimezone(UTC).date(), time(), UTC)
    start = end - timedelta(days=DAYS)
    values = {"groups": list(groups), "start": start, "end": end, "at": at}
    rows = (PACES.one(values) or [None])[0]
    return {row["id"]: _pace(row, start.date()) for row in orjson.loads(rows or "[]")}


def _pace(row: Mapping[str, Any], start: date) -> Pace | None:
    used: dict[str, float] = row["used"] or {}
    first = min([*used, row["since"]])
    days = [(start + timedelta(days=number)).isoformat() for number in range(DAYS)]
    return Pace.of([used.get(day, 0.0) for day in days if day >= first])
