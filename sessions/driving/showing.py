"""A session whose server the portal runs, as hubs and people are told it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sessions.models import Server, ServerStep, Session

STATES = {
    Server.State.READY: Session.State.READY,
    Server.State.STOPPING: Session.State.STOPPING,
    Server.State.GONE: Session.State.ENDED,
    Server.State.FAILED: Session.State.FAILED,
}


def server_of(session: Session) -> Server | None:
    """The server that the portal runs for the session; None for all others."""
    return getattr(session, "driven", None)


def state_of(session: Session, *, at: datetime) -> str:
    """The state of the session: by its server where the portal runs it, unless it is over."""
    state, server = session.state(at=at), server_of(session)
    if server is None or state in (Session.State.ENDED, Session.State.FAILED):
        return state
    driven = STATES.get(Server.State(server.state), Session.State.PENDING)
    if driven != Session.State.ENDED or server.ready_at or session.ready_at:
        return driven
    return Session.State.FAILED


def newest_steps(sessions: Iterable[Session]) -> dict[int, str]:
    """What was told last of each of these whose server the portal runs, by their numbers."""
    numbers = [session.number for session in sessions]
    if not numbers:
        return {}
    told = ServerStep.objects.filter(server__in=numbers).order_by("server", "-seq")
    return dict(told.distinct("server").values_list("server", "message"))


def driven_content(session: Session) -> dict[str, Any]:
    """What only driven sessions have: where the proxy reaches the server, and what went wrong."""
    server = server_of(session)
    if server is None:
        return {}
    failure = {
        "code": server.failure_code,
        "message": server.failure_message,
        "exit_code": server.exit_code,
    }
    return {
        "server_url": server.address or None,
        "failure": failure if server.failure_code else None,
        "removed": server.cleaned_at is not None,
    }
