"""The job line of a session as SQL, and the preflight of what Open XDMoD would spoil.

The receiver drops or alters bad rows and still reports success, so a session that breaks one of its
rules is refused here with a reason, and free text is reduced to what it takes. The names of tables
are those of `CANDIDATES`: session `s`, notebook charge `c`, person `u`, group `g`.
"""

from __future__ import annotations

# Made from a hub's lists, until the session's own events came: told as that other session.
TOLD_AS_ANOTHER = "(s.adopted_until IS NOT NULL AND s.ended_at = s.ready_at)"

# Sessions of a hub that ended before the cut and were never exported. Names of people and groups
# are the charge's: whoever pays is published.
CANDIDATES = f"""
FROM hub_sessions_session s
LEFT JOIN hub_sessions_charge c ON c.session_id = s.number AND c.origin = 'notebook'
LEFT JOIN accounts_user u ON u.id = c.user_id
LEFT JOIN accounts_group g ON g.id = c.group_id
WHERE s.hub_id = %(hub)s AND s.ready_at IS NOT NULL AND s.ended_at < %(cut)s
  AND NOT {TOLD_AS_ANOTHER}
  AND NOT EXISTS (SELECT FROM accounting_exportmark m WHERE m.session_id = s.number)
"""

# What the receiver would spoil, from the frequent to the absurd. A day of margin around its first
# and last second, since it counts in a time zone of its own.
RULES = {
    "s.group_id IS NULL OR s.user_id IS NULL": "unattributed",
    "c.id IS NULL": "no_resources",
    "c.group_id IS NULL OR c.user_id IS NULL": "unattributed",
    "c.ended_at IS NULL": "not_ended",
    "u.username ~ '[^a-z0-9._-]' OR length(u.username) > 30": "bad_user_name",
    "g.name ~ '[^a-z0-9._-]' OR length(g.name) > 30": "bad_group_name",
    "u.username = g.name": "user_is_group",
    "c.started_at < '1970-01-02Z'": "starts_before_1970",
    "s.requested_at < '1970-01-02Z'": "submitted_before_1970",
    "c.ended_at >= '2038-01-18Z'": "ends_after_2038",
    "c.ended_at < c.started_at": "ends_before_start",
}
REFUSAL = "CASE " + " ".join(f"WHEN {rule} THEN '{name}'" for rule, name in RULES.items()) + " END"
ACCEPTED = "CASE " + " ".join(f"WHEN {rule} THEN false" for rule in RULES) + " ELSE true END"

# What the texts of moments depend on, and room to sort a million rows.
SETTINGS = "SET LOCAL datestyle = 'ISO'; SET LOCAL work_mem = '128MB'"

CPUS = "greatest(1, (c.cpu_millicores::bigint + 999) / 1000)"

JOB_STATE = """
CASE s.end_reason
    WHEN 'admin' THEN 'CANCELLED'
    WHEN 'quota' THEN 'TIMEOUT'
    WHEN 'crashed' THEN 'FAILED'
    WHEN 'oom' THEN 'OUT_OF_MEMORY'
    WHEN 'evicted' THEN 'PREEMPTED'
    ELSE 'COMPLETED'
END
"""


def _time(moment: str) -> str:
    """ISO 8601 without zone, given whole seconds and the date style of `SETTINGS`."""
    return f"replace(({moment} AT TIME ZONE 'UTC')::text, ' ', 'T')"


def _word(text: str, *, otherwise: str) -> str:
    """Free text as one field: ASCII without what separates fields or expands to a list."""
    safe = f"regexp_replace(left({text}, 60), '[^A-Za-z0-9._:-]', '_', 'g')"
    return f"CASE {text} WHEN '' THEN '{otherwise}' ELSE {safe} END"


LENGTH = "(c.ended_at - c.started_at)"
# A difference of moments has days and a time of day, never months.
ELAPSED = (
    f"CASE WHEN {LENGTH} >= interval '1 day' THEN extract(day FROM {LENGTH}) || '-' ELSE '' END"
    f" || to_char({LENGTH}, 'HH24:MI:SS')"
)
# Hubs may report a request after ready; the receiver wants submit <= start.
SUBMIT = "least(s.requested_at, c.started_at)"
GPUS = "CASE WHEN c.gpus > 0 THEN ',gres/gpu=' || c.gpus ELSE '' END"
EXIT_CODE = "least(coalesce(s.exit_code, 0), 255) || ':0'"

# The 26 fields in the order of the receiver, computed from the named inner columns.
LINE = """
concat_ws('|',
    job_id, job_id, %(name)s, size, %(name)s, group_name, group_name, gid, user_name, uid,
    submit, submit, start, "end", elapsed, exit_code, job_state, 1, cpus, cpus,
    mem, 'cpu=' || cpus || ',mem=' || mem || ',node=1',
    'cpu=' || cpus || gpu || ',mem=' || mem || ',node=1', elapsed, node, 'notebook:' || image)
"""

FIELDS = f"""
    {_word("s.size", otherwise="unknown")} AS size,
    g.name AS group_name, g.gid, u.username AS user_name, u.uid,
    {_time(SUBMIT)} AS submit, {_time("c.started_at")} AS start, {_time("c.ended_at")} AS "end",
    {ELAPSED} AS elapsed, {EXIT_CODE} AS exit_code, {JOB_STATE} AS job_state, {CPUS} AS cpus,
    c.memory_mib || 'M' AS mem, {GPUS} AS gpu,
    {_word("s.node", otherwise="unknown")} AS node, {_word("s.image", otherwise="unknown")} AS image
"""
