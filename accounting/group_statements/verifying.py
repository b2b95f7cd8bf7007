"""The address in a printed statement that says what was stated: whoever has the paper may ask."""

from __future__ import annotations

from django.core import signing

from accounting.models import Statement, StatementLine
from accounts.letters import address

SALT = "accounting.group_statements.verifying"


def verify_address(number: int, group: str) -> str:
    """Where the portal says what statement `number` states of the group. It never expires."""
    return address("verify_statement", signing.Signer(salt=SALT).sign_object([number, group]))


def stated(token: str) -> tuple[Statement, StatementLine | None] | None:
    """The statement of an address, and the line of its group; None: the portal did not write it.

    Without a line the group used nothing.
    """
    try:
        number, group = signing.Signer(salt=SALT).unsign_object(token)
    except signing.BadSignature:
        return None
    statement = Statement.objects.filter(pk=number).first()
    if statement is None:
        return None
    kind = StatementLine.Kind.GROUP
    return statement, statement.lines.filter(kind=kind, group_name=group).first()
