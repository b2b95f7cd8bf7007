"""Lists of servers that nothing was decided by.

An end that was found is the time of a list that lacked the server, and of the one after it. A list
counts with the empty ones that follow it, so these stay or go together. Where lists were removed
the next one says so: two lists that were not neighbours never speak together.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

MOST = 2000  # lists in one transaction

# Kept are: what is young, what decided an end and what stands after it, and the newest of a hub.
JUDGED = """
WITH complete AS (
    SELECT s.id, s.time, s.key,
           count(*) FILTER (WHERE s.listed > 0) OVER (ORDER BY s.time, s.key) AS stretch
    FROM hub_sessions_snapshot s WHERE s.hub_id = %(hub)s AND s.is_complete
), decisive AS (
    SELECT DISTINCT absent_at FROM hub_sessions_session
    WHERE hub_id = %(hub)s AND absent_at IS NOT NULL
), stretches AS (
    SELECT c.stretch, max(c.time) < %(before)s AS is_old,
           bool_or(d.absent_at IS NOT NULL) AS decides
    FROM complete c LEFT JOIN decisive d ON d.absent_at = c.time GROUP BY c.stretch
), judged AS (
    SELECT stretch, is_old AND NOT decides
        AND NOT coalesce(lag(decides) OVER w, false) AND lead(stretch, 2) OVER w IS NOT NULL AS goes
    FROM stretches WINDOW w AS (ORDER BY stretch)
), doomed AS (
    SELECT c.id FROM complete c JOIN judged j USING (stretch) WHERE j.goes
    ORDER BY c.time, c.key LIMIT %(most)s
), incomplete AS (
    SELECT s.id FROM hub_sessions_snapshot s
    WHERE s.hub_id = %(hub)s AND NOT s.is_complete AND s.time < %(before)s LIMIT %(most)s
), left_alone AS (
    SELECT id FROM (
        SELECT c.id, d.id AS gone, lag(d.id) OVER (ORDER BY c.time, c.key) AS gone_before
        FROM complete c LEFT JOIN doomed d ON d.id = c.id
    ) n WHERE gone IS NULL AND gone_before IS NOT NULL
)
SELECT ARRAY(SELECT id FROM doomed) || ARRAY(SELECT id FROM incomplete),
       ARRAY(SELECT id FROM left_alone)
"""


def prune(hub: int, *, before: datetime) -> int:
    """Remove up to 4,000 lists of the hub; how many. 0 once none is left that may go."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT hub_sessions_lock(%s)", [hub])
        doomed, after = _judged(hub, before, MOST)
        if doomed:
            cursor.execute(
                "UPDATE hub_sessions_snapshot SET follows_gap = true WHERE id = ANY (%s)", [after]
            )
            cursor.execute(
                "DELETE FROM hub_sessions_snapshotpart WHERE snapshot_id = ANY (%s)", [doomed]
            )
            cursor.execute("DELETE FROM hub_sessions_snapshot WHERE id = ANY (%s)", [doomed])
    return len(doomed)


def count(hub: int, *, before: datetime) -> int:
    """How many lists of the hub may go."""
    return len(_judged(hub, before, None)[0])


def _judged(hub: int, before: datetime, most: int | None) -> tuple[list[int], list[int]]:
    with connection.cursor() as cursor:
        cursor.execute(JUDGED, {"hub": hub, "before": before, "most": most})
        doomed, after = cursor.fetchone()
    return doomed, after
