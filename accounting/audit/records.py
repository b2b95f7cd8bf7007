"""Records follow from events, charges from records, and nobody sits twice on one seat.

Written once more, set-based and apart from the SQL that keeps the records, so that a mistake in
either shows.
"""

from __future__ import annotations

from accounting.audit.checks import Check

# What the events of every session say, and what that makes of its times. The window looks back in
# falling order: a frame that only grows is summed up once, one that shrinks for every row. Places
# in which a session was made from the hub's lists are few and looked at row by row (decision 14).
DERIVED = """
WITH said AS MATERIALIZED (
    SELECT hub_id, session AS key,
           min(time) FILTER (WHERE type = 'session.requested') AS requested_at,
           min(time) FILTER (WHERE type = 'session.ready') AS told_at,
           min(time) FILTER (WHERE type = 'session.found') AS found_at,
           CASE WHEN NOT bool_or(type = 'session.failed')
               THEN min(time) FILTER (WHERE type = 'pod.ready') END AS shown_at
    FROM hub_sessions_hubevent WHERE session IS NOT NULL
    GROUP BY hub_id, session
), earliest AS (
    SELECT hub_id, key, requested_at, coalesce(told_at, found_at, shown_at) AS ready_at,
           told_at IS NULL AND found_at IS NOT NULL AS is_adopted
    FROM said
), stops AS (
    SELECT f.hub_id, f.key,
           coalesce(min(e.time) FILTER (WHERE e.type <> 'pod.gone' AND e.time >= f.ready_at),
               min(e.time) FILTER (WHERE e.type <> 'pod.gone'),
               min(e.time) FILTER (WHERE e.time >= f.ready_at)) AS stopped_at
    FROM earliest f JOIN hub_sessions_hubevent e ON e.hub_id = f.hub_id AND e.session = f.key
    WHERE e.type IN ('session.stopped', 'session.failed', 'pod.ended', 'pod.gone')
    GROUP BY f.hub_id, f.key
), sitting AS (
    SELECT DISTINCT ON (hub_id, session) hub_id, session AS key, user_name, server
    FROM hub_sessions_hubevent WHERE session IS NOT NULL
    ORDER BY hub_id, session, type <> 'session.requested', type <> 'session.ready', time, event_id
), placed AS MATERIALIZED (
    SELECT f.*, t.stopped_at, p.user_name, p.server,
           least(f.requested_at, f.ready_at) AS begins_at
    FROM earliest f JOIN sitting p USING (hub_id, key) LEFT JOIN stops t USING (hub_id, key)
), crowd AS MATERIALIZED (
    SELECT p.*, (l.data ->> 'since')::timestamptz AS since,
           (l.data ->> 'seen')::timestamptz AS seen,
           CASE WHEN NOT p.is_adopted AND s.cpu_millicores IS NOT NULL THEN p.ready_at END
               AS charged_from
    FROM placed p
    JOIN (SELECT DISTINCT hub_id, user_name, server FROM placed WHERE is_adopted) a
        USING (hub_id, user_name, server)
    LEFT JOIN hub_sessions_session s ON s.hub_id = p.hub_id AND s.key = p.key
    LEFT JOIN LATERAL (
        SELECT e.data FROM hub_sessions_hubevent e
        WHERE e.hub_id = p.hub_id AND e.session = p.key AND e.type = 'session.found'
        ORDER BY e.time, e.event_id LIMIT 1
    ) l ON p.is_adopted
), crowded AS (
    SELECT p.hub_id, p.key, CASE
        WHEN NOT p.is_adopted THEN min(o.begins_at) FILTER (
            WHERE o.begins_at > p.begins_at
              AND NOT coalesce(o.is_adopted
                  AND p.charged_from BETWEEN o.since - interval '1 minute' AND o.seen, false))
        WHEN bool_or(coalesce(NOT o.is_adopted
            AND o.charged_from BETWEEN p.since - interval '1 minute' AND p.seen, false))
        THEN p.begins_at
        ELSE min(o.begins_at) FILTER (WHERE o.begins_at > p.seen) END AS next_at
    FROM crowd p JOIN crowd o USING (hub_id, user_name, server)
    GROUP BY p.hub_id, p.key, p.is_adopted, p.begins_at
), followed AS (
    SELECT p.*, min(p.begins_at) OVER (
               PARTITION BY p.hub_id, p.user_name, p.server ORDER BY p.begins_at DESC
               RANGE BETWEEN UNBOUNDED PRECEDING AND '1 second' PRECEDING) AS next_at
    FROM placed p
), derived AS (
    SELECT f.hub_id, f.key, f.requested_at, f.ready_at, f.stopped_at, f.user_name, f.server,
           CASE WHEN f.begins_at IS NOT NULL AND n.next_at < coalesce(f.stopped_at, 'infinity')
                THEN n.next_at END AS superseded_at
    FROM followed f LEFT JOIN crowded c USING (hub_id, key)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN c.key IS NULL THEN f.next_at ELSE c.next_at END AS next_at
    ) n
)
"""

RECORDS = f"""
{DERIVED}
SELECT coalesce(s.number::text, 'none'), coalesce(s.key, d.key)::text,
       concat_ws(', ', x.requested_at, x.ready_at, x.ended_at),
       concat_ws(', ', s.requested_at, s.ready_at, s.ended_at)
FROM derived d FULL JOIN hub_sessions_session s ON s.hub_id = d.hub_id AND s.key = d.key
CROSS JOIN LATERAL (
    SELECT d.requested_at, d.ready_at, d.stopped_at, d.superseded_at, CASE
        WHEN least(d.stopped_at, d.superseded_at, s.absent_at) IS NOT NULL
        THEN greatest(d.ready_at, least(d.stopped_at, d.superseded_at, s.absent_at)) END AS ended_at
) x
WHERE s.number IS NULL
   OR (x.requested_at, x.ready_at, x.stopped_at, x.superseded_at, x.ended_at)
      IS DISTINCT FROM (s.requested_at, s.ready_at, s.stopped_at, s.superseded_at, s.ended_at)
   OR (d.key IS NOT NULL AND (d.user_name, d.server) IS DISTINCT FROM (s.user_name, s.server))
ORDER BY s.number NULLS FIRST, d.key LIMIT 1
"""

SNAPSHOTS = """
SELECT s.number::text, s.key::text, s.absent_at::text
FROM hub_sessions_session s
WHERE s.absent_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM hub_sessions_snapshot n
    WHERE n.hub_id = s.hub_id AND n.is_complete AND n.time = s.absent_at AND n.time > s.ready_at)
ORDER BY s.number LIMIT 1
"""

CHARGES = """
SELECT s.number::text, s.key::text,
       concat_ws(', ', s.user_id, s.group_id, s.ready_at, s.ended_at, s.cpu_millicores,
                 coalesce(s.memory_mib, 0), coalesce(s.gpus, 0)),
       concat_ws(', ', c.user_id, c.group_id, c.started_at, c.ended_at, c.cpu_millicores,
                 c.memory_mib, c.gpus)
FROM hub_sessions_session s
LEFT JOIN hub_sessions_charge c ON c.session_id = s.number AND c.origin = 'notebook'
WHERE CASE WHEN s.ready_at IS NULL OR s.cpu_millicores IS NULL OR s.is_rescue
           THEN c.id IS NOT NULL
      ELSE c.id IS NULL OR c.sign <> 1
           OR (s.user_id, s.group_id, s.ready_at, s.ended_at, s.cpu_millicores,
               coalesce(s.memory_mib, 0), coalesce(s.gpus, 0))
              IS DISTINCT FROM (c.user_id, c.group_id, c.started_at, c.ended_at, c.cpu_millicores,
                                c.memory_mib, c.gpus) END
ORDER BY s.number LIMIT 1
"""

# Sessions that begin in one second are a tie that no rule breaks: both are charged.
SEATS = """
SELECT number::text, key::text, ready_at::text, others_end::text FROM (
    SELECT s.number, s.key, s.ready_at, s.ended_at, max(
        CASE WHEN s.ended_at > s.ready_at IS NOT FALSE THEN coalesce(s.ended_at, 'infinity') END
    ) OVER (PARTITION BY s.hub_id, s.seat ORDER BY s.begins_at
            RANGE BETWEEN UNBOUNDED PRECEDING AND '1 second' PRECEDING) AS others_end
    FROM hub_sessions_session s WHERE s.ready_at IS NOT NULL AND s.seat IS NOT NULL
) t
WHERE others_end > ready_at AND (ended_at IS NULL OR ended_at > ready_at)
ORDER BY number LIMIT 1
"""

# An adjustment is a pair of charges of its session. It continues the one before it, or takes back
# what followed from evidence; before it may do that again, those before it must have been undone.
ADJUSTMENTS = """
WITH legs AS (
    SELECT a.id, a.session_id, a.from_evidence, (t.sign, b.sign) = (-1, 1)
               AND t.origin = 'adjustment' AND b.origin = 'adjustment'
               AND t.session_id = a.session_id AND b.session_id = a.session_id
               AND t.ended_at IS NOT NULL AND b.ended_at IS NOT NULL AS is_pair,
           (t.user_id, t.cpu_millicores, t.memory_mib, t.gpus)::text AS taken_what,
           (b.user_id, b.cpu_millicores, b.memory_mib, b.gpus)::text AS booked_what,
           (t.user_id, t.group_id, t.started_at, t.ended_at, t.cpu_millicores)::text AS taken,
           (b.user_id, b.group_id, b.started_at, b.ended_at, b.cpu_millicores)::text AS booked
    FROM hub_sessions_adjustment a
    JOIN hub_sessions_charge t ON t.id = a.taken_back_id
    JOIN hub_sessions_charge b ON b.id = a.booked_id
), chained AS (
    SELECT l.*, lag(booked) OVER w AS before,
           count(*) FILTER (WHERE from_evidence) OVER w AS chain
    FROM legs l WINDOW w AS (PARTITION BY session_id ORDER BY id)
), over AS (
    SELECT session_id, chain, min(id) AS id, (array_agg(taken ORDER BY id))[1] AS taken,
           (array_agg(booked ORDER BY id DESC))[1] AS booked,
           chain < max(chain) OVER (PARTITION BY session_id) AS is_over
    FROM chained GROUP BY session_id, chain
), wrong AS (
    SELECT session_id, 'adjustment ' || id AS what FROM chained
    WHERE NOT is_pair OR taken_what IS DISTINCT FROM booked_what
       OR (NOT from_evidence AND taken IS DISTINCT FROM before)
    UNION ALL
    SELECT session_id, 'adjustment ' || id FROM over WHERE is_over AND taken <> booked
    UNION ALL
    SELECT c.session_id, 'charge ' || c.id FROM hub_sessions_charge c
    WHERE c.origin = 'adjustment'
      AND NOT EXISTS (SELECT FROM hub_sessions_adjustment a WHERE a.taken_back_id = c.id)
      AND NOT EXISTS (SELECT FROM hub_sessions_adjustment a WHERE a.booked_id = c.id)
)
SELECT session_id::text, what FROM wrong ORDER BY session_id, what LIMIT 1
"""

# A worker is charged as its session, from its start to its end or that of the session.
WORKERS = """
SELECT x.number::text, x.pod, concat_ws(', ', x.user_id, x.group_id, x.started_at, x.ended_at,
           x.cpu_millicores, x.memory_mib),
       concat_ws(', ', c.user_id, c.group_id, c.started_at, c.ended_at, c.cpu_millicores,
           c.memory_mib)
FROM (
    SELECT s.number, w.pod, w.charge_id, s.user_id, s.group_id, w.started_at, CASE
               WHEN least(w.finished_at, w.gone_at, s.ended_at) IS NOT NULL
               THEN greatest(w.started_at, least(w.finished_at, w.gone_at, s.ended_at))
           END AS ended_at, k.cpu_millicores, k.memory_mib
    FROM hub_sessions_daskworker w
    JOIN hub_sessions_daskcluster k ON k.id = w.cluster_id
    JOIN hub_sessions_session s ON s.number = k.session_id
) x
LEFT JOIN hub_sessions_charge c ON c.id = x.charge_id
WHERE CASE WHEN x.started_at IS NULL THEN c.id IS NOT NULL
      ELSE c.id IS NULL OR (c.sign, c.origin, c.gpus) <> (1, 'dask', 0)
           OR (x.number, x.user_id, x.group_id, x.started_at, x.ended_at, x.cpu_millicores,
               x.memory_mib)
              IS DISTINCT FROM (c.session_id, c.user_id, c.group_id, c.started_at, c.ended_at,
                                c.cpu_millicores, c.memory_mib) END
UNION ALL
SELECT c.session_id::text, 'charge ' || c.id, 'no worker', concat_ws(', ', c.started_at, c.ended_at)
FROM hub_sessions_charge c
WHERE c.origin = 'dask'
  AND NOT EXISTS (SELECT FROM hub_sessions_daskworker w WHERE w.charge_id = c.id)
ORDER BY 1, 2 LIMIT 1
"""

CHECKS = (
    Check(
        "records follow from events",
        RECORDS,
        "session {0} ({1}): by its events requested, ready, ended {2}; recorded {3}",
    ),
    Check(
        "inferred ends follow from snapshots",
        SNAPSHOTS,
        "session {0} ({1}): absent at {2}, when the hub listed nothing completely",
    ),
    Check(
        "charges follow from records",
        CHARGES,
        "session {0} ({1}): person, group, start, end, millicores, MiB, GPUs should be {2};"
        " charged {3}",
    ),
    Check(
        "charges of Dask workers follow from their pods",
        WORKERS,
        "session {0}, {1}: person, group, start, end, millicores, MiB should be {2}; charged {3}",
    ),
    Check(
        "adjustments are pairs that continue what was charged",
        ADJUSTMENTS,
        "session {0}: {1} is no such pair",
    ),
    Check(
        "no seat is charged twice at once",
        SEATS,
        "session {0} ({1}) is ready at {2}, another session of the seat lasts until {3}",
    ),
)
