"""The history that a replay passes through: charges in order of their start, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from django.db.models import Q, QuerySet

from accounts.models import Group
from quotas.replay import Piece
from sessions.models import Charge

CHUNK = 5000
MONTH = timedelta(days=30)


def months_before(months: int, *, at: datetime) -> datetime:
    """The UTC midnight so many times 30 days before the day of `at`."""
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC) - months * MONTH


def pieces(group: Group | None, *, start: datetime, at: datetime) -> Iterator[Piece]:
    """The charges of the group, or of all groups, that touch [start, at); open ones end `at`."""
    rows = (
        _charges(group, start=start, at=at)
        .order_by("started_at", "session", "pk")
        .values_list("session", "group", "user", "started_at", "ended_at", "cpu_millicores", "sign")
    )
    for session, payer, user, started, ended, millicores, sign in rows.iterator(chunk_size=CHUNK):
        seconds = (int(started.timestamp()), int((ended or at).timestamp()))
        yield Piece(session, payer or 0, user, *seconds, sign * millicores)


def has_more_than(count: int, group: Group | None, *, start: datetime, at: datetime) -> bool:
    """Whether more charges than so many would pass."""
    return _charges(group, start=start, at=at).order_by()[count : count + 1].exists()


def _charges(group: Group | None, *, start: datetime, at: datetime) -> QuerySet[Charge]:
    there = Q(ended_at=None) | Q(ended_at__gt=start)
    charges = Charge.objects.filter(there, started_at__lt=at)
    return charges.filter(group__isnull=False) if group is None else charges.filter(group=group)
