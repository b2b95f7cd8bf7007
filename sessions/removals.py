"""Stopping servers of people who left the group that pays, or who are switched off.

What is due is read from the rows at every run, so a lost run or a hub that was away costs only
time. Nothing here may be called inside a database transaction: hubs are asked.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OuterRef, Q

from accounts.models import Membership
from lsp_portal.lib.crowds import CROWD, is_crowd
from sessions.hub.alerts import raise_alert
from sessions.models import Alert, Hub, Session
from sessions.models.records import SessionQuerySet
from sessions.stopping import own_server, stop_sessions

MOST_STOPS = 50  # at one hub in one run
OFF = "the account is switched off or has expired"


def stop_sessions_of_removed_members(*, at: datetime, even_many: bool = False) -> int:
    """Ask the hubs to stop what is due; the number of servers for which one was asked.

    Where it would be a large share of a hub's servers an alert is raised instead, unless
    `even_many`: a wrong list of members should not end everybody's work.
    """
    return sum(_stop_at(hub, at=at, even_many=even_many) for hub in Hub.objects.all())


def due(hub: Hub, *, at: datetime) -> SessionQuerySet:
    """Sessions at the hub that are to stop; `is_off` tells those of people switched off."""
    is_off = Q(user__is_active=False) | Q(user__expires_at__lte=at)
    holding = Session.objects.filter(hub=hub, user__isnull=False).holding(at=at)
    marked = holding.annotate(is_off=ExpressionWrapper(is_off, output_field=BooleanField()))
    return marked.filter(is_off | _has_left(at), own_server())


def _has_left(at: datetime) -> Q:
    """The person was in the group, and has not been for longer than the grace."""
    since = at - timedelta(minutes=settings.MEMBERSHIP_GRACE_MINUTES)
    own = Membership.objects.filter(user=OuterRef("user"), group=OuterRef("group"))
    lately = own.filter(Q(valid_to=None) | Q(valid_to__gt=since), valid_from__lte=at)
    return Q(Exists(own.filter(valid_to__lte=since))) & ~Q(Exists(lately))


def _stop_at(hub: Hub, *, at: datetime, even_many: bool) -> int:
    found = due(hub, at=at).select_related("group")
    if not even_many and _is_crowd(hub, found.filter(stop_requested_at=None).count(), at=at):
        return 0
    unasked_first = found.order_by(F("stop_requested_at").asc(nulls_first=True), "number")
    wanted = [(session, _note(session)) for session in unasked_first[:MOST_STOPS]]
    return len(stop_sessions(hub, wanted, reason="admin", at=at).sessions) if wanted else 0


def _note(session: Session) -> str:
    if getattr(session, "is_off"):  # noqa: B009 - annotated
        return OFF
    return f"the person is no longer in the group {session.group}"


def _is_crowd(hub: Hub, count: int, *, at: datetime) -> bool:
    """Whether so many stops at once are rather a mistake; an administrator is told then."""
    if count <= CROWD:
        return False
    running = Session.objects.filter(hub=hub).holding(at=at).count()
    if not is_crowd(count, of=running, percent=settings.MOST_REMOVALS_PERCENT):
        return False
    detail = (
        f"{count} of {running} servers belong to people who left their group or are switched off. "
        "None is stopped. Look at the memberships; if it is right, run "
        "manage.py stop_removed_members --even-many."
    )
    raise_alert(hub, Alert.Kind.MANY_REMOVALS, "removed members", detail, at=at)
    return True
