"""How sessions, and what hangs on them, are found: through indexes only."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q

from accounts.models import Group, User
from sessions.hub.seats import seat
from sessions.models import Hub, Session

MOST_OWNERS = 50
HELP = (
    "Number or id of a session, the beginning of a person's or a group's name, "
    "or what a hub calls somebody"
)


def sessions_found(term: str) -> Q:
    """Sessions by number, session id, owner, or the exact name that a hub gave (default server)."""
    if term.isdecimal() and len(term) < 19:
        return Q(number=int(term))
    if (key := read_uuid(term)) is not None:
        return in_hubs() & Q(key=key)
    people = User.objects.filter(username__startswith=term).values_list("pk", flat=True)
    groups = Group.objects.filter(name__startswith=term).values_list("pk", flat=True)
    owned = Q(user__in=list(people[:MOST_OWNERS])) | Q(group__in=list(groups[:MOST_OWNERS]))
    return owned | (in_hubs() & Q(seat=seat(term, "")))


def session_ids_found(term: str) -> list[UUID]:
    """The id that the term is, or that of the session with that number."""
    if (key := read_uuid(term)) is not None:
        return [key]
    if term.isdecimal() and len(term) < 19:
        return list(Session.objects.filter(number=int(term)).values_list("key", flat=True))
    return []


def in_hubs() -> Q:
    """Any hub, named: the indexes of evidence begin with the hub."""
    return Q(hub__in=list(Hub.objects.values_list("pk", flat=True)))


def read_uuid(term: str) -> UUID | None:
    try:
        return UUID(term)
    except ValueError:
        return None
