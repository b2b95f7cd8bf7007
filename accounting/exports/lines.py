"""What Open XDMoD would spoil of a session, what a mark keeps of it, and the mark's line, as SQL.

The receiver drops or alters bad rows and still reports success, so a session that breaks one of its
rules is refused here with a reason, and free text is reduced to what it takes. The names of tables
are those of `CANDIDATES`: session `s`, notebook charge `c`, person `u`, group `g`; a mark is `m`.
"""

from __future__ import annotations

# Made from a hub's lists, until the session's own events came: told as that other session.
TOLD_AS_ANOTHER = "(s.adopted_until IS NOT NULL AND s.ended_at = s.ready_at)"


def _named(table: str, name: str, number: str) -> str:
    """People or groups, with whether the receiver takes their names, found once for each."""
    is_bad = f"{name} ~ '[^a-z0-9._-]' OR length({name}) > 30"
    return (
        f"(SELECT id, {name} AS name, {number} AS number, {is_bad} AS is_bad FROM {table} OFFSET 0)"
    )


# Sessions of a hub that ended before the cut and were never exported. Names of people and groups
# are the charge's: whoever pays is published.
CANDIDATES = f"""
FROM hub_sessions_session s
LEFT JOIN hub_sessions_charge c ON c.session_id = s.number AND c.origin = 'notebook'
LEFT JOIN {_named("accounts_user", "username", "uid")} u ON u.id = c.user_id
LEFT JOIN {_named("accounts_group", "name", "gid")} g ON g.id = c.group_id
WHERE s.hub_id = %(hub)s AND s.ready_at IS NOT NULL AND s.ended_at < %(cut)s
  AND NOT {TOLD_AS_ANOTHER} AND NOT s.is_rescue
  AND NOT EXISTS (SELECT FROM accounting_exportmark m WHERE m.session_id = s.number)
"""

# What the receiver would spoil, from the frequent to the absurd. A day of margin around its first
# and last second, since it counts in a time zone of its own.
RULES = {
    "s.group_id IS NULL OR s.user_id IS NULL": "unattributed",
    "c.id IS NULL": "no_resources",
    "c.group_id IS NULL OR c.user_id IS NULL": "unattributed",
    "c.ended_at IS NULL": "not_ended",
    "u.is_bad": "bad_user_name",
    "g.is_bad": "bad_group_name",
    "u.name = g.name": "user_is_group",
    "c.started_at < '1970-01-02Z'": "starts_before_1970",
    "s.requested_at < '1970-01-02Z'": "submitted_before_1970",
    "c.ended_at >= '2038-01-18Z'": "ends_after_2038",
    "c.ended_at < c.started_at": "ends_before_start",
}
REFUSAL = "CASE " + " ".join(f"WHEN {rule} THEN '{name}'" for rule, name in RULES.items()) + " END"
ACCEPTED = "CASE " + " ".join(f"WHEN {rule} THEN false" for rule in RULES) + " ELSE true END"

# What the texts of moments depend on, and room to sort and join a million rows.
SETTINGS = """
SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL timezone = 'UTC';
SET LOCAL work_mem = '128MB'; SET LOCAL jit = off
"""

JOB_STATE = """
CASE end_reason
    WHEN 'admin' THEN 'CANCELLED'
    WHEN 'quota' THEN 'TIMEOUT'
    WHEN 'crashed' THEN 'FAILED'
    WHEN 'oom' THEN 'OUT_OF_MEMORY'
    WHEN 'evicted' THEN 'PREEMPTED'
    ELSE 'COMPLETED'
END
"""
# Free text is ASCII without what separates fields or expands to a list. Hardly any is odd, so all
# of a session is looked at together.
TEXTS = "s.size || s.node || s.image"
ODD = "[^A-Za-z0-9._:-]"
IS_ODD = f"{TEXTS} ~ '{ODD}' OR octet_length({TEXTS}) > 60"


def _word(text: str) -> str:
    safe = f"regexp_replace(left({text}, 60), '{ODD}', '_', 'g')"
    return f"CASE WHEN {text} = '' THEN 'unknown' WHEN is_odd THEN {safe} ELSE {text} END"


# The columns of a mark, from `READ`. Hubs may report a request after ready, and the receiver wants
# submit <= start.
PUBLISHED = {
    "submitted_at": "least(requested_at, started_at)",
    "started_at": "started_at",
    "ended_at": "ended_at",
    "cpu_millicores": "cpu_millicores",
    "cpus": "greatest(1, (cpu_millicores::bigint + 999) / 1000)",
    "memory_mib": "memory_mib",
    "gpus": "gpus",
    "uid": "uid",
    "gid": "gid",
    "exit_code": "CASE WHEN exit_code BETWEEN 0 AND 255 THEN exit_code"
    " WHEN exit_code IS NULL THEN 0 ELSE 255 END",
    "user_name": "user_name",
    "group_name": "group_name",
    "job_state": JOB_STATE,
    "size": _word("size"),
    "node": _word("node"),
    "image": _word("image"),
}
READ = f"""
s.number, s.requested_at, c.started_at, c.ended_at, c.cpu_millicores, c.memory_mib, c.gpus,
u.number AS uid, g.number AS gid, s.exit_code, u.name AS user_name, g.name AS group_name,
s.end_reason, s.size, s.node, s.image, {IS_ODD} AS is_odd
"""


def _time(moment: str) -> str:
    """ISO 8601 without zone, given whole seconds and `SETTINGS`."""
    return f"replace(({moment} AT TIME ZONE 'UTC')::text, ' ', 'T')"


LENGTH = "(m.ended_at - m.started_at)"
# A difference of moments has days and a time of day, never months.
ELAPSED = (
    f"CASE WHEN {LENGTH} < interval '1 day' THEN {LENGTH}::text"
    f" ELSE extract(day FROM {LENGTH}) || '-' || to_char({LENGTH}, 'HH24:MI:SS') END"
)
FIELDS = f"""
m.*, {_time("m.submitted_at")} AS submit, {_time("m.started_at")} AS start,
{_time("m.ended_at")} AS "end", {ELAPSED} AS elapsed, m.memory_mib || 'M' AS mem,
CASE WHEN m.gpus > 0 THEN ',gres/gpu=' || m.gpus ELSE '' END AS gpu
"""

# The 26 columns in the order of the receiver, computed from a mark and its `FIELDS`.
LINE = """
job_id, job_id, {name}, size, {name}, group_name, group_name, gid, user_name, uid,
submit, submit, start, "end", elapsed, exit_code || ':0', job_state, 1, cpus, cpus,
mem, 'cpu=' || cpus || ',mem=' || mem || ',node=1',
'cpu=' || cpus || gpu || ',mem=' || mem || ',node=1', elapsed, node, 'notebook:' || image
"""
