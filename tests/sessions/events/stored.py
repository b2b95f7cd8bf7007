"""What is stored, in the words of the oracle."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sessions.models import Charge, Hub, Session, StaleDay
from tests.sessions.events.oracle import Record


def naive(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=None) if at else None


def stored_records(hub: Hub) -> dict[UUID, Record]:
    sessions = Session.objects.filter(hub=hub).select_related("user", "group")
    return {
        s.key: Record(
            user_name=s.user_name,
            server=s.server,
            user=s.user.username if s.user else None,
            group=s.group.name if s.group else None,
            requested=naive(s.requested_at),
            ready=naive(s.ready_at),
            stopped=naive(s.stopped_at),
            superseded=naive(s.superseded_at),
            absent=naive(s.absent_at),
            ended=naive(s.ended_at),
            source=s.end_source,
            flagged=s.ended_before_ready,
            cpu_millicores=s.cpu_millicores,
        )
        for s in sessions
    }


def charged(record: Record) -> tuple[object, ...] | None:
    """The notebook charge that a record has."""
    if record.ready is None or record.cpu_millicores is None:
        return None
    return record.user, record.group, record.ready, record.ended, record.cpu_millicores


def stored_charges(hub: Hub) -> dict[UUID, tuple[object, ...]]:
    charges = Charge.objects.filter(session__hub=hub).select_related("session", "user", "group")
    return {
        c.session.key: (
            c.user.username if c.user else None,
            c.group.name if c.group else None,
            naive(c.started_at),
            naive(c.ended_at),
            c.cpu_millicores,
        )
        for c in charges
    }


def stale_days() -> set[tuple[str | None, object]]:
    return {(s.group.name if s.group else None, s.day) for s in StaleDay.objects.all()}
