"""Taking the name from an account for good. Every sum stays; whose it was is told no more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from auditlog.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q

from accounts.models import Change, Name, User
from lsp_portal.privacy import patterns
from lsp_portal.privacy.rewriting import AT_HUB, PERSON, Step
from sessions.models import DaskCluster, Hub, Server, Session

Done = dict[str, int]
"""How many rows of what."""

# By every name that a hub has for the person; what it calls somebody else by stays theirs.
NAMES = """
SELECT hub_id, name FROM (
    SELECT h.id AS hub_id, u.username AS name FROM hub_sessions_hub h, accounts_user u
    WHERE u.id = %(user)s
    UNION SELECT hub_id, name FROM hub_sessions_hubusername WHERE user_id = %(user)s
    UNION SELECT hub_id, user_name FROM hub_sessions_session WHERE user_id = %(user)s
) n
WHERE name <> ''
  AND coalesce((SELECT id FROM hub_sessions_person(hub_id, name)), %(user)s) = %(user)s
ORDER BY hub_id, name
"""


def preview(user: User, *, by: User | None, at: datetime) -> Done:
    """What would be changed: it is done and taken back. Raises ValidationError."""
    with transaction.atomic():
        found = pseudonymise(user, by=by, at=at)
        transaction.set_rollback(True)
    return found


@transaction.atomic
def pseudonymise(user: User, *, by: User | None, at: datetime) -> Done:
    """Put a pseudonym in place of the person, everywhere and irreversibly; what was changed.

    Raises ValidationError where it cannot be.
    """
    _lock_hubs()
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    ensure_possible(user, by=by, at=at)
    new, done = _pseudonym(user), defaultdict[str, int](int)
    values = {**_values(user), "new": new, "at": at}
    for step, parameters in _steps(values):
        done[step.what] += _run(step, parameters)
    user.refresh_from_db()
    Change.objects.log_create(
        user,
        force_log=True,
        action=LogEntry.Action.UPDATE,
        changes={"pseudonymised_at": ["None", at.isoformat()]},
    )
    return {what: rows for what, rows in done.items() if rows}


def ensure_possible(user: User, *, by: User | None, at: datetime) -> None:
    """Raises ValidationError with what has to be done before."""
    problem = ""
    if user.pseudonymised_at is not None:
        problem = f"The name was taken from “{user.username}” already."
    elif by is not None and user.pk == by.pk:
        problem = "This is your own account. Ask another administrator."
    elif count := Session.objects.filter(user=user).holding(at=at).count():
        problem = f"{count} servers of “{user.username}” run or wait. Stop them first."
    elif count := Server.objects.unfinished().filter(session__user=user).count():
        problem = f"Of {count} servers of “{user.username}” something is left in the cluster. Wait."
    elif DaskCluster.objects.unfinished().filter(session__user=user).exists():
        problem = f"A Dask cluster of “{user.username}” is left in the cluster. Wait."
    elif owned := _owned(user, at):
        problem = f"“{user.username}” answers for {owned}. Give these accounts another owner first."
    if problem:
        raise ValidationError(problem, code="cannot_pseudonymise")


def _owned(user: User, at: datetime) -> str:
    going = user.owned_accounts.filter(Q(expires_at=None) | Q(expires_at__gt=at), is_active=True)
    return ", ".join(going.order_by("username").values_list("username", flat=True)[:5])


def _lock_hubs() -> None:
    """Nobody stores events or makes records meanwhile."""
    for hub in Hub.objects.order_by("pk"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT hub_sessions_lock(%s)", [hub.pk])


def _pseudonym(user: User) -> str:
    taken = Name.objects.filter(name__startswith=f"removed-{user.pk}").count()
    return f"removed-{user.pk}" if not taken else f"removed-{user.pk}-{taken}"


def _values(user: User) -> dict[str, Any]:
    identities = list(user.identities.values_list("subject", "email"))
    emails = {email for email in (user.email, *(email for _, email in identities)) if email}
    subjects = {subject for subject, _ in identities}
    words = {user.username, user.get_full_name(), *emails}
    words |= set(user.hub_names.values_list("name", flat=True))
    return {
        "user": user.pk,
        "emails": [email.lower() for email in emails],
        "words": patterns.in_text(words | {one for one in subjects if not patterns.is_bare(one)}),
        "json_words": patterns.in_json(words | subjects),
        "password": make_password(None),
    }


def _steps(values: dict[str, Any]) -> Iterator[tuple[Step, dict[str, Any]]]:
    """Hubs' names first, while it is known whose they are; several at a hub stay apart."""
    with connection.cursor() as cursor:
        cursor.execute(NAMES, values)
        names = cursor.fetchall()
    seen = defaultdict[int, int](int)
    for hub, old in names:
        seen[hub] += 1
        # No user name has a dot, so nobody can be called so.
        new = values["new"] if seen[hub] == 1 else f"{values['new']}.{seen[hub]}"
        yield from ((step, {"hub": hub, "old": old, "new": new}) for step in AT_HUB)
    yield from ((step, values) for step in PERSON)


def _run(step: Step, parameters: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(step.statement, parameters)
        return max(int(cursor.rowcount), 0)
