"""The whole audit under one snapshot and one reading of the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from accounting import rollups
from accounting.audit import published, records, statements, sums
from accounting.audit.published import Published
from quotas.vocabulary import Usage


@dataclass(frozen=True, slots=True)
class Audited:
    """What was found to agree."""

    sessions: int
    charges: int
    usage: Usage
    published: Published
    statements: int


def audit(*, at: datetime) -> Audited:
    """Bring stale days up to date, then prove everything. Raises DifferenceError."""
    rollups.refresh()
    with transaction.atomic():
        _freeze()
        for check in (*records.CHECKS, *sums.CHECKS, *published.CHECKS, *statements.CHECKS):
            check.run()
        published.prove_files()
        charges, usage = sums.charged(at=at)
        exported, closed = published.published(at=at), statements.prove(at=at)
        return Audited(_sessions(), charges, usage, exported, closed)


def _freeze() -> None:
    """One snapshot for all that follows; within a caller's transaction the caller decides."""
    with connection.cursor() as cursor:
        if not connection.savepoint_ids:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(rollups.ROOM)


def _sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM hub_sessions_session")
        return int(cursor.fetchone()[0])
