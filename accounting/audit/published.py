"""What exports published is what they marked, and adds up with the corrections to the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from accounting.audit.checks import Check, DifferenceError
from accounting.exports.corrections import CHANGED, HAS_CHANGED
from accounting.exports.files import Measured
from accounting.exports.xdmod import copy_lines
from accounting.models import ExportRun
from sessions.usage import WHOLE

SECONDS = "extract(epoch FROM m.ended_at - m.started_at)::bigint"
EXACT = f"{SECONDS} * m.cpu_millicores"

MARKS = """
SELECT m.session_id::text, m.job_id::text, h.name
FROM accounting_exportmark m JOIN hub_sessions_session s ON s.number = m.session_id
LEFT JOIN accounting_exportrun r ON r.id = m.run_id
LEFT JOIN hub_sessions_hub h ON h.id = r.hub_id
WHERE s.hub_id IS DISTINCT FROM r.hub_id OR m.submitted_at > m.started_at
   OR m.cpus <> greatest(1, ceil(m.cpu_millicores / 1000.0))
ORDER BY m.run_id, m.job_id LIMIT 1
"""

RUNS = f"""
SELECT r.id::text, r.jobs::text, r.first_job_id::text, t.jobs::text, t.first_job_id::text
FROM accounting_exportrun r
LEFT JOIN LATERAL (
    SELECT count(*) AS jobs, min(m.job_id) AS first_job_id, max(m.job_id) AS last_job_id,
           sum({EXACT}) AS exact,
           sum({SECONDS} * m.cpus) AS exported
    FROM accounting_exportmark m
    WHERE m.run_id = r.id AND m.job_id BETWEEN r.first_job_id AND r.first_job_id + r.jobs - 1
) t ON true
WHERE t.jobs <> r.jobs OR coalesce(t.first_job_id, r.first_job_id) <> r.first_job_id
   OR coalesce(t.exact, 0) <> (r.summary ->> 'exact_millicore_seconds')::numeric
   OR coalesce(t.exported, 0) <> (r.summary ->> 'exported_core_seconds')::numeric
ORDER BY r.id LIMIT 1
"""

JOB_IDS = """
SELECT h.name, count(*)::text, min(m.job_id)::text, max(m.job_id)::text
FROM accounting_exportmark m JOIN accounting_exportrun r ON r.id = m.run_id
JOIN hub_sessions_hub h ON h.id = r.hub_id
GROUP BY h.name HAVING count(*) <> max(m.job_id) OR min(m.job_id) <> 1
ORDER BY h.name LIMIT 1
"""

CHECKS = (
    Check(
        "marks are of sessions of their hub, with whole CPUs",
        MARKS,
        "session {0}, job {1} of hub {2}",
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


def prove_files() -> None:
    """Every job file that was written has the lines that follow from its marks."""
    for run in ExportRun.objects.exclude(sha256="").order_by("pk").select_related("hub"):
        lines = Measured()
        copy_lines(run, lines)
        if lines.hash.hexdigest() != run.sha256:
            raise DifferenceError(
                "Not so: published lines are what was marked."
                f" First, run {run.pk} of {run.hub}: its lines have the hash"
                f" {lines.hash.hexdigest()}, they were published as {run.sha256}."
            )


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
