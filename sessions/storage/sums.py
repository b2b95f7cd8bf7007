"""SQL for what people and groups store now: the newest sample of each mount, added up."""

from __future__ import annotations

# The newest row of each mount, from mount to mount backwards along the unique index of the samples,
# so that their number does not matter.
NEWEST = """
    WITH RECURSIVE newest AS (
        (SELECT {columns} FROM hub_sessions_storagesample
         WHERE {of_owner} ORDER BY mount DESC, taken_at DESC LIMIT 1)
        UNION ALL
        SELECT n.* FROM newest p CROSS JOIN LATERAL (
            SELECT {columns} FROM hub_sessions_storagesample
            WHERE {of_owner} AND mount < p.mount ORDER BY mount DESC, taken_at DESC LIMIT 1
        ) n
    )
    SELECT * FROM newest
"""
OF_GROUP = "group_id = o.id AND user_id IS NULL"
OF_USER = "user_id = o.id AND group_id IS NULL"

STORED = """
SELECT o.id, sum(s.used_bytes)::bigint
FROM {owners} o CROSS JOIN LATERAL ({newest}) s
GROUP BY o.id
"""

# The owner and its bytes, for each that was ever measured.
BY_GROUP = STORED.format(
    owners="accounts_group",
    newest=NEWEST.format(columns="mount, used_bytes", of_owner=OF_GROUP),
)
BY_USER = STORED.format(
    owners="accounts_user",
    newest=NEWEST.format(columns="mount, used_bytes", of_owner=OF_USER),
)
