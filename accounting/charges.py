"""SQL pieces that read closed charges day by day."""

from __future__ import annotations

from sessions.usage import longest

# The borders of the UTC day of `p`.
DAY_START = "p.day::timestamp AT TIME ZONE 'UTC'"
DAY_END = "(p.day + 1)::timestamp AT TIME ZONE 'UTC'"

# Closed charges `c` of the pairs `p` (day, group_id) that overlap the day. A group that is null is
# asked for in a branch of its own, because no index serves IS NOT DISTINCT FROM.
OVERLAPPING = f"""
    c.ended_at > {DAY_START} AND c.started_at < {DAY_END} AND c.started_at > {DAY_START}
"""
CHARGES_OF_PAIRS = f"""
CROSS JOIN LATERAL (
    SELECT * FROM hub_sessions_charge c
    WHERE c.group_id = p.group_id AND {OVERLAPPING} - {longest("l.group_id = p.group_id")}
    UNION ALL
    SELECT * FROM hub_sessions_charge c
    WHERE p.group_id IS NULL AND c.group_id IS NULL
      AND {OVERLAPPING} - {longest("l.group_id IS NULL")}
) c
"""
