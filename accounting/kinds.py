"""SQL for kinds of sessions: what sessions are alike in, beside person and group.

The session `s` says hub, image and size, and the institution of its person as it was known when
the session began. A kind's key is a digest of the four, so that sums, live or stored, meet in it.
"""

from __future__ import annotations

KIND = "hub_id, image, size, institution"
INSTITUTION = (
    "coalesce(nullif(s.affiliation ->> 'organisation', ''), s.affiliation ->> 'value', '')"
)
OF_SESSION = f"s.hub_id, s.image, s.size, {INSTITUTION}"
NAMED_OF_SESSION = f"{OF_SESSION} AS institution"

# The lengths keep apart what would read the same when put together.
KEY = (
    "md5(hub_id || ':' || length(image) || ':' || image || length(size) || ':' || size"
    " || institution)::uuid"
)

# The session of the charge `c`, looked up one by one: the planner would rather read them all.
SESSION = """
CROSS JOIN LATERAL (
    SELECT * FROM hub_sessions_session WHERE number = c.session_id OFFSET 0
) s
"""
