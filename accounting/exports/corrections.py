"""Which exported sessions are no longer what was published of them."""

from __future__ import annotations

# Marks `m` with the notebook charge `n` of today.
CHANGED = """
FROM accounting_exportmark m
LEFT JOIN hub_sessions_charge n ON n.session_id = m.session_id AND n.origin = 'notebook'
LEFT JOIN accounts_user nu ON nu.id = n.user_id
LEFT JOIN accounts_group ng ON ng.id = n.group_id
"""
# A published name stays when it was taken from the account.
HAS_CHANGED = """
((m.user_name, m.group_name, m.started_at, m.ended_at, m.cpu_millicores)
 IS DISTINCT FROM (CASE WHEN nu.pseudonymised_at IS NULL THEN nu.username ELSE m.user_name END,
                   ng.name, n.started_at, n.ended_at, n.cpu_millicores)
 OR m.session_id IN (SELECT session_id FROM hub_sessions_charge WHERE origin = 'adjustment'))
"""
