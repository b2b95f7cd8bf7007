"""Stopping servers of which the portal decided that they end: by their hubs, or without.

Nothing here may be called inside a database transaction: hubs are asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from sessions.driving.asking import stop_without_hub
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
class Stopped:
    """What came of it: `troubles` says why others go on for now."""

    sessions: list[Session] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def stop_sessions(
    hub: Hub, wanted: Iterable[tuple[Session, str]], *, reason: str, at: datetime
) -> Stopped:
    """Have the hub stop each session, with a note on its record that says why.

    What the hub refuses does not hold up the others; a hub that is away is not asked again. The
    portal itself then stops the servers that it runs, and the hub finds them ended.
    """
    stopped, asking = Stopped(), Asking(hub, reason, at)
    for session, note in wanted:
        trouble = asking.ask(session, note)
        if not trouble or _stop_itself(session, note, reason=reason, at=at):
            LOG.info("%s of %s is stopped: %s", session, session.user_name, note)
            stopped.sessions.append(session)
        elif trouble not in stopped.troubles:
            LOG.warning("servers at %s go on for now: %s", hub, trouble)
            stopped.troubles.append(trouble)
    return stopped


@dataclass(slots=True)
class Asking:
    """One hub, asked for the reason until it is away."""

    hub: Hub
    reason: str
    at: datetime
    client: HubClient | None = None
    away: str = ""

    def ask(self, session: Session, note: str) -> str:
        """Why the hub does not stop the session; empty where it does."""
        if self.away:
            return self.away
        _note(session, note, at=self.at)
        try:
            self.client = self.client or HubClient.of(self.hub, at=self.at)
            self.client.stop_server(
                session.user_name, session.server, actor=ACTOR, reason=self.reason
            )
        except HubRefused as error:
            return f"{session}: {error}"
        except HubUnavailable as error:
            self.away = str(error)
        return self.away


def _stop_itself(session: Session, note: str, *, reason: str, at: datetime) -> bool:
    """Stop the server without the hub, where the portal runs it."""
    if not stop_without_hub(session, reason=reason, why=note, at=at):
        return False
    _note(session, note, at=at)
    return True


def _note(session: Session, note: str, *, at: datetime) -> None:
    unasked = Session.objects.filter(pk=session.pk, ended_at=None, stop_requested_at=None)
    unasked.update(stop_requested_at=at, stop_note=note)
