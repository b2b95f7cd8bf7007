"""Who ended a session and why, in words for people."""

from __future__ import annotations

from sessions.models import Session

REASONS = {
    "user": "stopped by its user",
    "admin": "stopped by an administrator",
    "culled": "stopped because it was idle",
    "quota": "stopped because the quota was used up",
    "crashed": "crashed",
    "oom": "ran out of memory",
    "evicted": "evicted from its node",
    "hub": "stopped by the hub",
    "unknown": "ended for an unknown reason",
}

SOURCES: dict[str, str] = {
    Session.EndSource.STOP: "ended, no reason given",
    Session.EndSource.SUPERSEDED: "ended unseen: its user's next server took its place",
    Session.EndSource.SNAPSHOT: "ended unseen: the hub had it no longer",
    Session.EndSource.REST: "ended unseen: the hub no longer had it when the portal asked",
    Session.EndSource.POD: "ended unseen: its pod is gone",
    Session.EndSource.LEASE: "did not become ready in time",
}


def words(session: Session, state: Session.State) -> str:
    """A phrase that goes on after “the server”; empty for a session that has not ended."""
    if state not in (Session.State.ENDED, Session.State.FAILED):
        return ""
    said = session.message.removesuffix(".")
    if session.ended_at is None:
        return f"did not start: {said}" if said else SOURCES[Session.EndSource.LEASE]
    if said and session.end_reason in ("", "unknown"):
        return f"ended: {said}" if session.ready_at else f"did not start: {said}"
    phrase = _reason(session)
    return f"{phrase}: {said}" if said else phrase


def _reason(session: Session) -> str:
    if session.is_told_by_another:
        return "is told of by its own events, as another session"
    if session.stop_note and session.end_reason == "admin":
        return f"stopped by the portal: {session.stop_note}"
    if not _is_told(session):
        return SOURCES[session.end_source]
    return REASONS.get(session.end_reason, session.end_reason)


def _is_told(session: Session) -> bool:
    """Whether somebody gave a reason: the hub any, a pod one that it knows."""
    if session.end_source == Session.EndSource.POD:
        return session.end_reason not in ("", "unknown")
    return session.end_source == Session.EndSource.STOP and session.end_reason != ""
