"""What exports published is what they marked, and adds up with the corrections to the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from accounting.audit.checks import Check, DifferenceError
from accounting.exports.corrections import CHANGED, HAS_CHANGED
from sessions.usage import WHOLE

SECONDS = "extract(epoch FROM m.ended_at - m.started_at)::bigint"
EXACT = f"{SECONDS} * m.cpu_millicores"

LINES = """
SELECT m.session_id::text, m.job_id::text, m.line
FROM accounting_exportmark m JOIN hub_sessions_session s ON s.number = m.session_id
CROSS JOIN LATERAL string_to_array(m.line, '|') AS f
WHERE s.hub_id <> m.hub_id OR cardinality(f) <> 26
   OR (f[1], f[2], f[7], f[9], f[19], f[17]) IS DISTINCT FROM (
       m.job_id::text, m.job_id::text, m.group_name::text, m.user_name::text, m.cpus::text,
       m.job_state::text)
   OR (f[13] || 'Z')::timestamptz <> m.started_at OR (f[14] || 'Z')::timestamptz <> m.ended_at
   OR m.cpus <> greatest(1, ceil(m.cpu_millicores / 1000.0))
ORDER BY m.hub_id, m.job_id LIMIT 1
"""

RUNS = f"""
SELECT r.id::text, r.jobs::text, r.first_job_id::text, t.jobs::text, t.first_job_id::text
FROM accounting_exportrun r
LEFT JOIN LATERAL (
    SELECT count(*) AS jobs, min(m.job_id) AS first_job_id, max(m.job_id) AS last_job_id,
           sum({EXACT}) AS exact,
           sum({SECONDS} * m.cpus) AS exported
    FROM accounting_exportmark m
    WHERE m.hub_id = r.hub_id AND m.run_id = r.id
      AND m.job_id BETWEEN r.first_job_id AND r.first_job_id + r.jobs - 1
) t ON true
WHERE t.jobs <> r.jobs OR coalesce(t.first_job_id, r.first_job_id) <> r.first_job_id
   OR coalesce(t.exact, 0) <> (r.summary ->> 'exact_millicore_seconds')::numeric
   OR coalesce(t.exported, 0) <> (r.summary ->> 'exported_core_seconds')::numeric
ORDER BY r.id LIMIT 1
"""

JOB_IDS = """
SELECT h.name, count(*)::text, min(m.job_id)::text, max(m.job_id)::text
FROM accounting_exportmark m JOIN hub_sessions_hub h ON h.id = m.hub_id
GROUP BY h.name HAVING count(*) <> max(m.job_id) OR min(m.job_id) <> 1
ORDER BY h.name LIMIT 1
"""

CHECKS = (
    Check(
        "published lines are what was marked",
        LINES,
        "session {0}, job {1}, published as {2}",
    ),
    Check(
        "export runs are the sum of their marks",
        RUNS,
        "run {0} counts {1} jobs from {2} on; its marks are {3} from {4} on",
    ),
    Check(
        "job ids are dense",
        JOB_IDS,
        "hub {0} has {1} jobs numbered {2} to {3}",
    ),
)

# Millicore-seconds: as published, as the receiver counts them, by the ledger of today, and by how
# much the sessions changed that the manifests list as corrected.
TOTALS = f"""
WITH ledger AS (
    SELECT c.session_id, {WHOLE}
    FROM hub_sessions_charge c WHERE c.origin IN ('notebook', 'adjustment') GROUP BY c.session_id
), corrections AS (
    SELECT sum(coalesce(l.millicore_seconds, 0) - {EXACT}) AS difference
    {CHANGED} LEFT JOIN ledger l ON l.session_id = m.session_id WHERE {HAS_CHANGED}
)
SELECT count(*), coalesce(sum({EXACT}), 0), coalesce(sum({SECONDS} * m.cpus), 0) * 1000,
       coalesce(sum(l.millicore_seconds), 0),
       coalesce((SELECT difference FROM corrections), 0)
FROM accounting_exportmark m LEFT JOIN ledger l ON l.session_id = m.session_id
"""


@dataclass(frozen=True, slots=True)
class Published:
    """Exported sessions and their millicore-seconds."""

    sessions: int
    exact: int
    exported: int
    ledger: int
    corrections: int


def published(*, at: datetime) -> Published:
    """The totals; DifferenceError where lines and corrections do not make the ledger."""
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, {"at": at})
        totals = Published(*map(int, cursor.fetchone()))
    if totals.exact + totals.corrections != totals.ledger:
        raise DifferenceError(
            "Not so: what was exported, with its corrections, is the ledger of the exported"
            f" sessions. {totals.exact} and {totals.corrections} are not {totals.ledger}"
            " millicore-seconds."
        )
    return totals
