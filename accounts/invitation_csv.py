"""Invitations in bulk: a table of addresses, roles and dates, checked before anybody is invited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.csv_files.plans import note_twice
from accounts.csv_files.table import BadFileError, Problem, Row, read_table
from accounts.invitations import Wish

COLUMNS = ("email", "role", "valid_from", "valid_to")
MOST = 500


@dataclass(frozen=True)
class Checked:
    """Whom a table wants to invite, and what is wrong with its rows."""

    wishes: list[Wish]
    problems: list[Problem]


def check(raw: bytes, *, roles: Sequence[str], at: datetime) -> Checked:
    """What the table says, for somebody who may invite to these roles. Raises BadFileError."""
    table = read_table(raw)
    unknown = [name for name in table.columns if name not in COLUMNS]
    if "email" not in table.columns or unknown:
        raise BadFileError(
            f"The first line must name the columns: email, and any of {', '.join(COLUMNS[1:])}."
        )
    if not 0 < len(table.rows) <= MOST:
        raise BadFileError(f"The table must have 1 to {MOST} rows below the names of the columns.")
    note_twice(table.rows, "email")
    wishes = [_wish(row, roles, at) for row in table.rows]
    return Checked(wishes, [problem for row in table.rows for problem in row.problems])


def _wish(row: Row, roles: Sequence[str], at: datetime) -> Wish:
    try:
        validate_email(row.text("email"))
        if len(row.text("email")) > 254:
            row.wrong("email", "Use an address of at most 254 characters.")
    except ValidationError:
        row.wrong("email", "Use an e-mail address such as bob@example.org.")
    wish = Wish(
        email=row.text("email"),
        role=row.choice("role", roles, "member"),
        valid_from=row.moment("valid_from"),
        valid_to=row.moment("valid_to"),
    )
    if wish.valid_to and wish.valid_to <= max(at, wish.valid_from or at):
        row.wrong("valid_to", "Use a day that is in the future and after valid_from.")
    return wish
