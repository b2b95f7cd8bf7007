"""Asking hubs to stop servers of which the portal decided that they end.

Nothing here may be called inside a database transaction: hubs are asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from sessions.hub.client import HubClient, HubRefused, HubUnavailable
from sessions.models import Hub, Session

LOG = logging.getLogger(__name__)

ACTOR = "lsp-portal"


def own_server() -> Q:
    """Sessions whose server is still theirs: one with a later session by now is that session's."""
    later = Session.objects.open().filter(
        hub=OuterRef("hub"), seat=OuterRef("seat"), number__gt=OuterRef("number")
    )
    return ~Q(Exists(later))


@dataclass(slots=True)
class Asked:
    """What a hub did of what it was asked: `troubles` says why others go on for now."""

    stopped: list[Session] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def ask_hub(hub: Hub, wanted: Iterable[tuple[Session, str]], *, reason: str, at: datetime) -> Asked:
    """Ask the hub to stop each session, with a note on its record that says why.

    What the hub refuses does not hold up the others; a hub that is away is not asked again.
    """
    asked = Asked()
    try:
        client = HubClient.of(hub, at=at)
        for session, note in wanted:
            _ask(client, session, note, asked, reason=reason, at=at)
    except HubUnavailable as error:
        asked.troubles.append(str(error))
    for trouble in asked.troubles:
        LOG.warning("servers at %s go on for now: %s", hub, trouble)
    return asked


def _ask(
    client: HubClient, session: Session, note: str, asked: Asked, *, reason: str, at: datetime
) -> None:
    unasked = Session.objects.filter(pk=session.pk, ended_at=None, stop_requested_at=None)
    unasked.update(stop_requested_at=at, stop_note=note)
    try:
        client.stop_server(session.user_name, session.server, actor=ACTOR, reason=reason)
    except HubRefused as error:
        asked.troubles.append(f"{session}: {error}")
        return
    LOG.info("%s of %s is stopped: %s", session, session.user_name, note)
    asked.stopped.append(session)
