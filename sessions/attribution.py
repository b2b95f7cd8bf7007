"""Attributing what nobody pays for: an administrator says later whose session it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, Func, JSONField
from django.db.models.functions import Coalesce

from accounts.models import Group, Membership, User
from sessions.models import Session


@dataclass
class AttributionRefused(Exception):  # noqa: N818 - a decision, not a fault
    """The session cannot be attributed; the text says why."""

    detail: str

    def __str__(self) -> str:
        return self.detail


def attribute(session: Session, *, user: User, group: Group, at: datetime) -> None:
    """Let the group pay for the session of that person, from its beginning.

    Later events of the session do not change it again. Raises AttributionRefused where somebody
    pays already, or where the session belongs to another person.
    """
    if session.user_id not in (None, user.pk):
        raise AttributionRefused(f"The session is that of {session.user}, not of {user}.")
    if session.is_rescue:
        raise AttributionRefused("It is a rescue session, for which nobody pays.")
    with transaction.atomic():
        unpaid = Session.objects.filter(pk=session.pk, group=None)
        known = Func(user.pk, function="hub_sessions_affiliation", output_field=JSONField())
        affiliation = Coalesce(F("affiliation"), known)
        booked = {"user": user, "group": group, "attributed_at": at, "affiliation": affiliation}
        if not unpaid.update(**booked):
            raise AttributionRefused("A group pays for this session already.")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT hub_sessions_charge(%s, ARRAY[%s]::uuid[])",
                [session.hub_id, str(session.key)],
            )


def attribute_each(
    sessions: Iterable[Session], *, group: Group, at: datetime
) -> tuple[list[Session], list[str]]:
    """Let the group pay for sessions of people who are known: those booked, and why others not.

    Unlike for a single session, the person must have been in the group when the session began.
    """
    booked, refusals = [], []
    for session in sessions:
        try:
            attribute(session, user=_member(session, group), group=group, at=at)
        except AttributionRefused as refusal:
            refusals.append(f"{session}: {refusal}")
        else:
            booked.append(session)
    return booked, refusals


def _member(session: Session, group: Group) -> User:
    """The person of the session. Raises AttributionRefused where it was not in the group."""
    if session.user is None or session.ready_at is None:
        raise AttributionRefused("The portal does not know whose it was: attribute it by itself.")
    memberships = Membership.objects.valid(at=session.ready_at)
    if not memberships.filter(user=session.user, group=group).exists():
        raise AttributionRefused(f"{session.user} was no member of {group} then.")
    return session.user
