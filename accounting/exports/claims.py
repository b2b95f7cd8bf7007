"""Claiming sessions for a run: each session once, with dense job ids, whatever dies meanwhile.

A claim is one transaction: the run, a mark for each of its sessions and the sums over them appear
together or not at all. Files are written afterwards from the marks alone, as often as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max

from accounting.exports.lines import ACCEPTED, CANDIDATES, PUBLISHED, READ, SETTINGS
from accounting.models import ExportRun
from lsp_portal.lib import advisory
from sessions.models import Hub

LAST_JOB_ID = 2_147_483_647  # the receiver's column is a 32-bit integer

CLAIM = f"""
INSERT INTO accounting_exportmark (session_id, run_id, job_id, {", ".join(PUBLISHED)})
SELECT number, %(run)s, %(first)s - 1 + row_number() OVER (ORDER BY number),
       {", ".join(PUBLISHED.values())}
FROM (
    SELECT {READ} {CANDIDATES} AND {ACCEPTED}
    ORDER BY s.number LIMIT {LAST_JOB_ID} - %(first)s + 1
) t
"""

SUMMARY = """
SELECT job_state, count(*), sum(seconds * cpu_millicores)::text, sum(seconds * cpus)::text,
       min(ended_at), max(ended_at)
FROM (
    SELECT m.*, date_part('epoch', ended_at - started_at)::bigint AS seconds
    FROM accounting_exportmark m WHERE run_id = %(run)s
) m
GROUP BY job_state ORDER BY job_state
"""


@dataclass(frozen=True, slots=True)
class Cut:
    """What a run exports: sessions that ended `settle_seconds` before `until`, or earlier."""

    until: datetime
    settle_seconds: int

    @property
    def moment(self) -> datetime:
        return self.until - timedelta(seconds=self.settle_seconds)


@contextmanager
def only_exporter(hub: Hub) -> Iterator[None]:
    """Wait until no other process exports the hub; the lock ends with the process at the latest."""
    with advisory.held(f"export of {hub.name}"):
        yield


def unfinished(hub: Hub) -> list[ExportRun]:
    """Runs that died between claim and files, oldest first."""
    return list(ExportRun.objects.filter(hub=hub, state=ExportRun.State.CLAIMED).order_by("pk"))


def claim(hub: Hub, cut: Cut, *, directory: str, at: datetime) -> ExportRun:
    """A new run with a mark for every session that is due and passes the preflight."""
    with transaction.atomic():
        run = ExportRun.objects.create(
            hub=hub,
            started_at=at,
            until=cut.until,
            settle_seconds=cut.settle_seconds,
            directory=directory,
            first_job_id=_next_job_id(hub),
        )
        run.jobs = _mark(run, cut)
        run.summary = _summary(run)
        run.save(update_fields=["jobs", "summary"])
    return run


def _next_job_id(hub: Hub) -> int:
    past = ExportRun.objects.filter(hub=hub).aggregate(past=Max(F("first_job_id") + F("jobs")))
    return past["past"] or 1


def _mark(run: ExportRun, cut: Cut) -> int:
    with connection.cursor() as cursor:
        cursor.execute(SETTINGS)
        cursor.execute(CLAIM, {**_parameters(run), "cut": cut.moment})
        return int(cursor.rowcount)


def _summary(run: ExportRun) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(SUMMARY, _parameters(run))
        rows = cursor.fetchall()
    ends = [moment for row in rows for moment in row[4:]]
    return {
        "states": {state: count for state, count, *_ in rows},
        "exact_millicore_seconds": sum(int(row[2]) for row in rows),
        "exported_core_seconds": sum(int(row[3]) for row in rows),
        "first_end": min(ends).isoformat() if ends else None,
        "last_end": max(ends).isoformat() if ends else None,
    }


def _parameters(run: ExportRun) -> dict[str, Any]:
    return {"hub": run.hub_id, "run": run.pk, "first": run.first_job_id}
