"""What is told to Prometheus: one statement for each number, labelled by few and known words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number of this moment; `statement` gives the labels and then the value.

    `%(at)s` is now.
    """

    name: str
    words: str
    labels: tuple[str, ...]
    statement: str


# The newest events of all hubs; of one that was silent for longer, its last list of servers.
# What the portal concludes from lists and pods is not the hub's own word.
LAST_EVENTS = """
SELECT h.name, extract(epoch FROM greatest(max(e.received_at), (
    SELECT max(n.time) FROM hub_sessions_snapshot n WHERE n.hub_id = h.id)))
FROM hub_sessions_hub h LEFT JOIN (
    SELECT hub_id, received_at FROM hub_sessions_hubevent
    WHERE left(type, 4) <> 'pod.' AND type <> 'session.found' ORDER BY id DESC LIMIT 20000
) e ON e.hub_id = h.id
GROUP BY h.id HAVING count(e.hub_id) > 0 OR EXISTS (
    SELECT FROM hub_sessions_snapshot n WHERE n.hub_id = h.id)
"""

NEWEST = """
SELECT h.name, extract(epoch FROM n.time) FROM hub_sessions_hub h CROSS JOIN LATERAL (
    SELECT time FROM {table} WHERE hub_id = h.id ORDER BY time DESC LIMIT 1) n
"""

GAUGES = (
    Gauge(
        "sessions",
        "Sessions that wait for their server (pending) or have one (running).",
        ("hub", "size", "state"),
        """
        SELECT h.name, s.size, s.state, count(*) FROM (
            SELECT hub_id, coalesce(nullif(size, ''), 'unknown') AS size, 'running' AS state
            FROM hub_sessions_session WHERE ended_at IS NULL AND ready_at IS NOT NULL
            UNION ALL
            SELECT hub_id, coalesce(nullif(size, ''), 'unknown'), 'pending'
            FROM hub_sessions_session
            WHERE ended_at IS NULL AND ready_at IS NULL AND lease_until > %(at)s
        ) s JOIN hub_sessions_hub h ON h.id = s.hub_id GROUP BY 1, 2, 3
        """,
    ),
    Gauge(
        "session_ends_last_hour",
        "Sessions that ended within the last hour, by the evidence of the end.",
        ("hub", "source"),
        """
        SELECT h.name, s.end_source, count(*)
        FROM hub_sessions_hub h JOIN hub_sessions_session s ON s.hub_id = h.id
        WHERE s.ended_at > %(at)s - interval '1 hour' GROUP BY 1, 2
        """,
    ),
    Gauge(
        "repairs_last_week",
        "What lists of servers repaired or brought to light within the last seven days.",
        ("hub", "kind"),
        """
        SELECT h.name, r.kind, count(*)
        FROM hub_sessions_repair r JOIN hub_sessions_hub h ON h.id = r.hub_id
        WHERE r.found_at > %(at)s - interval '7 days' GROUP BY 1, 2
        """,
    ),
    Gauge(
        "alerts_open",
        "Alerts that nobody has resolved.",
        ("hub", "kind"),
        """
        SELECT h.name, a.kind, count(*)
        FROM hub_sessions_alert a JOIN hub_sessions_hub h ON h.id = a.hub_id
        WHERE a.resolved_at IS NULL GROUP BY 1, 2
        """,
    ),
    Gauge(
        "quarantined_events",
        "Rejected events that are kept.",
        ("hub",),
        """
        SELECT h.name, (SELECT count(*) FROM hub_sessions_quarantinedevent q WHERE q.hub_id = h.id)
        FROM hub_sessions_hub h
        """,
    ),
    Gauge(
        "hub_last_event_timestamp_seconds",
        "When the newest event of a hub arrived.",
        ("hub",),
        LAST_EVENTS,
    ),
    Gauge(
        "hub_last_snapshot_timestamp_seconds",
        "The time of a hub's newest list of its servers, sent or asked for.",
        ("hub",),
        NEWEST.format(table="hub_sessions_snapshot"),
    ),
    Gauge(
        "hub_last_reading_timestamp_seconds",
        "The time of a hub's newest answer to the portal's question for its servers.",
        ("hub",),
        NEWEST.format(table="hub_sessions_hubreading"),
    ),
    Gauge(
        "cluster_heard_timestamp_seconds",
        "When a list of objects in the cluster was last heard of, if only by a bookmark.",
        ("source",),
        "SELECT source, extract(epoch FROM heard_at) FROM hub_sessions_clusterwatch"
        " WHERE heard_at IS NOT NULL",
    ),
    Gauge(
        "worker_heartbeat_timestamp_seconds",
        "When beat and a worker did their last task of every minute.",
        (),
        "SELECT extract(epoch FROM max(at)) FROM lsp_portal_heartbeat HAVING max(at) IS NOT NULL",
    ),
    Gauge(
        "stale_days",
        "Days of groups whose sums have to be made again.",
        (),
        "SELECT count(*) FROM (SELECT DISTINCT day, group_id FROM hub_sessions_staleday) d",
    ),
    Gauge(
        "size_free",
        "Servers of the size that would have found a place when the cluster was seen last.",
        ("size",),
        """
        SELECT s.name, r.free
        FROM hub_sessions_sizeroom r JOIN hub_sessions_size s ON s.id = r.size_id
        """,
    ),
    Gauge(
        "cluster_nodes",
        "Nodes of the cluster when it was seen last.",
        ("state",),
        "SELECT state, count(*) FROM hub_sessions_clusternode GROUP BY 1",
    ),
    Gauge(
        "storage_used_bytes",
        "Bytes of all homes or group areas on a mount, as measured within the last two days.",
        ("mount", "owner"),
        """
        SELECT mount, owner, sum(used_bytes) FROM (
            SELECT DISTINCT ON (mount, user_id, group_id) mount, used_bytes,
                CASE WHEN user_id IS NULL THEN 'group' ELSE 'person' END AS owner
            FROM hub_sessions_storagesample WHERE taken_at > %(at)s - interval '2 days'
            ORDER BY mount, user_id, group_id, taken_at DESC
        ) newest GROUP BY 1, 2
        """,
    ),
    Gauge(
        "mails",
        "Mails that wait to be sent or could not be sent, of one notice or of a day.",
        ("kind", "state"),
        """
        SELECT k.kind, k.state, count(m.state)
        FROM (VALUES ('notice', 'waiting'), ('notice', 'failed'),
                     ('digest', 'waiting'), ('digest', 'failed')) AS k (kind, state)
        LEFT JOIN (
            SELECT 'notice' AS kind, state FROM accounts_notice
            WHERE state = 'waiting' AND NOT in_digest
            UNION ALL SELECT 'notice', state FROM accounts_notice WHERE state = 'failed'
            UNION ALL SELECT 'digest', state FROM accounts_digest WHERE state = 'waiting'
            UNION ALL SELECT 'digest', state FROM accounts_digest WHERE state = 'failed'
        ) m USING (kind, state) GROUP BY 1, 2
        """,
    ),
    Gauge(
        "mail_oldest_due_timestamp_seconds",
        "Since when the mail that waits longest should have been sent; absent when none is due.",
        (),
        """
        SELECT extract(epoch FROM due) FROM (
            SELECT least(
                (SELECT min(due_at) FROM accounts_notice WHERE state = 'waiting' AND NOT in_digest),
                (SELECT min(due_at) FROM accounts_digest WHERE state = 'waiting')) AS due
        ) m WHERE due <= %(at)s
        """,
    ),
)
