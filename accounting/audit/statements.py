"""Statements are what was hashed, each continues the one before, and they add up to the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, time

from accounting import usage
from accounting.audit.checks import Check, DifferenceError
from accounting.models import Statement
from accounting.statements.content import Sums, digest, due, stated
from accounting.usage import Window
from quotas.vocabulary import Usage

GROUPS = """
SELECT s.number::text, s.title, coalesce(nullif(g.group_name, ''), p.group_name, 'no group')
FROM (SELECT * FROM accounting_statementline WHERE kind = 'group') g
FULL JOIN (
    SELECT statement_id, group_id, max(group_name) AS group_name,
           sum(millicore_seconds) AS millicore_seconds, sum(mib_seconds) AS mib_seconds,
           sum(gpu_seconds) AS gpu_seconds, sum(sessions) AS sessions
    FROM accounting_statementline WHERE kind = 'person' GROUP BY statement_id, group_id
) p ON p.statement_id = g.statement_id AND coalesce(p.group_id, 0) = coalesce(g.group_id, 0)
JOIN accounting_statement s ON s.number = coalesce(g.statement_id, p.statement_id)
WHERE (g.millicore_seconds, g.mib_seconds, g.gpu_seconds, g.sessions)
      IS DISTINCT FROM (p.millicore_seconds, p.mib_seconds, p.gpu_seconds, p.sessions)
ORDER BY 1, 3 LIMIT 1
"""

CHECKS = (
    Check(
        "groups in statements are the sum of their people",
        GROUPS,
        "statement {0} ({1}), group {2}",
    ),
)


def prove(*, at: datetime) -> int:
    """How many statements agree; DifferenceError names the first that does not."""
    previous = ""
    statements = list(Statement.objects.order_by("number").prefetch_related("lines"))
    for number, statement in enumerate(statements, start=1):
        _prove_hash(statement, number, previous)
        _prove_sums(statement, at=at)
        previous = statement.hash
    return len(statements)


def _prove_hash(statement: Statement, number: int, previous: str) -> None:
    if (statement.number, statement.previous_hash) != (number, previous):
        raise DifferenceError(
            "Not so: each statement continues the one before."
            f" First, {statement} stands where {number} after {previous or 'nothing'} should."
        )
    found = digest(statement, statement.lines.all())
    if found != statement.hash:
        raise DifferenceError(
            "Not so: statements are what was hashed."
            f" First, {statement}: its content has the hash {found}, it was stated as"
            f" {statement.hash}."
        )


def _prove_sums(statement: Statement, *, at: datetime) -> None:
    """What was stated, with what is still to be corrected, is what pages show of the period."""
    days = (statement.starts_on, statement.ends_on)
    start, end = (datetime.combine(day, time(), UTC) for day in days)
    said = sum((*stated(statement).values(), *due(statement, at=at).values()), Sums())
    shown = usage.total(Window(start, end, at))
    if Usage(*said.values[:3]) != shown:
        raise DifferenceError(
            "Not so: statements with their corrections make the ledger."
            f" First, {statement}: {said.values[:3]} is not {shown}."
        )
