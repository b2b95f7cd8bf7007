"""The steps of a session in words: from its record, or as the portal noted them on the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sessions.driving.showing import server_of
from sessions.driving.steps import GRANTED
from sessions.models import Server, Session


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened; `seq` is the cursor behind it."""

    seq: int
    at: datetime
    message: str


def progress(session: Session, *, at: datetime, after: int = 0) -> list[Step]:
    """The steps behind the cursor so far, in their order."""
    server = server_of(session)
    if server is not None:
        return [step for step in _granted(session) if after < GRANTED] + _noted(server, after)
    steps = [
        (session.granted_at, _grant(session)),
        (session.requested_at, "The hub starts the server"),
        (session.ready_at, "The server is ready"),
        (session.stop_requested_at, _stop(session)),
        _end(session, at),
    ]
    return [
        Step(seq, moment, message)
        for seq, (moment, message) in enumerate(steps, start=1)
        if moment is not None and seq > after
    ]


def _granted(session: Session) -> list[Step]:
    moment = session.granted_at
    return [] if moment is None else [Step(GRANTED, moment, _grant(session))]


def _noted(server: Server, after: int) -> list[Step]:
    rows = server.steps.filter(seq__gt=after).order_by("seq")
    return [Step(row.seq, row.at, f"{row.message} {row.advice}".strip()) for row in rows]


def _grant(session: Session) -> str:
    return f"Granted: {session.size or 'a server'}, {_payer(session)}"


def _payer(session: Session) -> str:
    if session.is_rescue:
        return "a rescue session, charged to nobody"
    return f"charged to {session.group.name}" if session.group else "charged to nobody yet"


def _stop(session: Session) -> str:
    return f"Asked to stop: {session.stop_note}" if session.stop_note else "Asked to stop"


def _end(session: Session, at: datetime) -> tuple[datetime | None, str]:
    if session.ended_at is not None:
        word = "ended" if session.ready_at else "failed to start"
        reason = session.message or session.end_reason or session.get_end_source_display()
        return session.ended_at, f"The server {word}: {reason}"
    if session.state(at=at) == Session.State.FAILED:
        return session.lease_until, session.message or "The server did not become ready in time"
    return None, ""
