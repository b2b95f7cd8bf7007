"""Stopping servers of people who left the group that pays, or who are switched off.

What is due is read from the rows at every run, so a lost run or a hub that was away costs only
time. Nothing here may be called inside a database transaction: hubs are asked.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OuterRef, Q

from accounts.models import Membership
from sessions.hub.client import HubClient, HubRefused, HubUnavailable
from sessions.models import Alert, Hub, Session
from sessions.models.records import SessionQuerySet

LOG = logging.getLogger(__name__)

ACTOR = "lsp-portal"
MOST_STOPS = 50  # at one hub in one run
CROWD = 10  # so many at once are never taken for a mistake
OFF = "the account is switched off or has expired"


def stop_sessions_of_removed_members(*, at: datetime, even_many: bool = False) -> int:
    """Ask the hubs to stop what is due; the number of servers for which one was asked.

    Where it would be a large share of a hub's servers an alert is raised instead, unless
    `even_many`: a wrong list of members should not end everybody's work.
    """
    return sum(_stop_at(hub, at=at, even_many=even_many) for hub in Hub.objects.all())


def due(hub: Hub, *, at: datetime) -> SessionQuerySet:
    """Sessions at the hub that are to stop; `is_off` tells those of people switched off.

    A server that has a later session by now is that session's.
    """
    is_off = Q(user__is_active=False) | Q(user__expires_at__lte=at)
    later = Session.objects.open().filter(
        hub=hub, seat=OuterRef("seat"), number__gt=OuterRef("number")
    )
    holding = Session.objects.filter(hub=hub, user__isnull=False).holding(at=at)
    marked = holding.annotate(is_off=ExpressionWrapper(is_off, output_field=BooleanField()))
    return marked.filter(is_off | _has_left(at), ~Exists(later))


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
    sessions = list(unasked_first[:MOST_STOPS])
    try:
        return _ask_to_stop(hub, sessions, at=at) if sessions else 0
    except HubUnavailable as error:
        LOG.warning("%d servers of removed members go on for now: %s", len(sessions), error)
        return 0


def _ask_to_stop(hub: Hub, sessions: list[Session], *, at: datetime) -> int:
    client, stopped = HubClient.of(hub, at=at), 0
    for session in sessions:
        note = _note(session)
        unasked = Session.objects.filter(pk=session.pk, ended_at=None, stop_requested_at=None)
        unasked.update(stop_requested_at=at, stop_note=note)
        try:
            client.stop_server(session.user_name, session.server, actor=ACTOR, reason="admin")
        except HubRefused as error:
            LOG.warning("%s goes on for now: %s", session, error)
            continue
        LOG.info("%s of %s at %s is stopped: %s", session, session.user_name, hub, note)
        stopped += 1
    return stopped


def _note(session: Session) -> str:
    if getattr(session, "is_off"):  # noqa: B009 - annotated
        return OFF
    return f"the person is no longer in the group {session.group}"


def _is_crowd(hub: Hub, count: int, *, at: datetime) -> bool:
    """Whether so many stops at once are rather a mistake; an administrator is told then."""
    if count <= CROWD:
        return False
    running = Session.objects.filter(hub=hub).holding(at=at).count()
    if count * 100 <= running * settings.MOST_REMOVALS_PERCENT:
        return False
    detail = (
        f"{count} of {running} servers belong to people who left their group or are switched off. "
        "None is stopped. Look at the memberships; if it is right, run "
        "manage.py stop_removed_members --even-many."
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hub_sessions_alert(%s, %s, %s, %s, %s)",
            [hub.pk, at, Alert.Kind.MANY_REMOVALS, "removed members", detail],
        )
    return True
