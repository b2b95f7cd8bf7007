"""A file as one change: all of it, or nothing."""

from __future__ import annotations

from datetime import datetime
from types import ModuleType

from django.db import IntegrityError, transaction

from accounts.csv_files import groups, memberships, users
from accounts.csv_files.plans import Plan
from accounts.csv_files.table import BadFileError, Table, read_table

KINDS: dict[str, ModuleType] = {"users": users, "groups": groups, "memberships": memberships}
MOST_PROBLEMS = 500


def import_file(raw: bytes, *, dry_run: bool, above_staff: bool, at: datetime) -> Plan:
    """What the file does, or would do; with problems it does nothing. Raises BadFileError."""
    table = read_table(raw)
    kind = kind_of(table)
    try:
        with transaction.atomic():
            plan: Plan = kind.plan(table, above_staff=above_staff, at=at)
            plan.problems.sort(key=lambda problem: problem.line)
            if not plan.problems and not dry_run:
                plan.apply()
                plan.applied = True
    except IntegrityError as error:
        raise BadFileError("Somebody changed the same rows meanwhile. Try it again.") from error
    return plan


def kind_of(table: Table) -> ModuleType:
    """Users, groups or memberships, by the columns. Raises BadFileError."""
    for kind in KINDS.values():
        required = {kind.KEY, *(["group"] if kind is memberships else [])}
        if required <= set(table.columns):
            unknown = [name for name in table.columns if name not in kind.COLUMNS]
            if unknown:
                allowed = ", ".join(kind.COLUMNS)
                raise BadFileError(
                    f"Unknown columns: {', '.join(unknown)}. There can be {allowed}."
                )
            return kind
    raise BadFileError(
        "The columns tell what a file is about: username for people, name for groups, "
        "user and group for memberships."
    )
