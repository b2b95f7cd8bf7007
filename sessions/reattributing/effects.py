"""What moves when another group pays for a session, and where both groups stand after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from accounts.models import Group
from quotas.models import AllocationPeriod, ComputeQuota
from quotas.vocabulary import millicore_seconds
from sessions.adjustments import AdjustmentRefused, standing
from sessions.models import Session
from sessions.usage import session_terms, used


@dataclass(frozen=True, slots=True)
class Balance:
    """A group in a period, before and after, in millicore-seconds; no limit without a quota."""

    group: Group
    used: int
    after: int
    limit: int | None
    is_hard: bool

    @property
    def left_after(self) -> int | None:
        return None if self.limit is None else self.limit - self.after

    @property
    def goes_beyond(self) -> bool:
        """Whether it is then beyond a hard quota, or further beyond than before."""
        is_more = self.after > self.used
        return is_more and self.is_hard and self.limit is not None and self.after > self.limit


@dataclass(frozen=True, slots=True)
class Part:
    """What moves within an allocation period; `period` None: in none."""

    period: AllocationPeriod | None
    moves: int
    balances: tuple[Balance, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """What moves in all, period by period; of a running session so far."""

    parts: tuple[Part, ...]

    @property
    def moves(self) -> int:
        return sum(part.moves for part in self.parts)

    @property
    def goes_beyond(self) -> bool:
        """Whether a hard quota does not allow for it."""
        return any(balance.goes_beyond for part in self.parts for balance in part.balances)


def effect(session: Session, giver: Group, receiver: Group, *, at: datetime) -> Effect:
    """What would move from one group to the other at that moment."""
    start, end = _span(session, at=at)
    first, last = start.astimezone(UTC).date(), end.astimezone(UTC).date()
    touched = AllocationPeriod.objects.filter(starts_on__lte=last, ends_on__gt=first)
    periods = list(touched.order_by("starts_on"))
    windows = [(start, end), *((max(start, p.starts_at), min(end, p.ends_at)) for p in periods)]
    whole, *within = _amounts(session, windows, at=at)
    parts = [
        Part(period, moves, _balances(period, moves, giver, receiver, at=at))
        for period, moves in zip(periods, within, strict=True)
        if moves
    ]
    rest = whole - sum(within)
    return Effect((*parts, Part(None, rest)) if rest or not parts else tuple(parts))


def _span(session: Session, *, at: datetime) -> tuple[datetime, datetime]:
    try:
        charged = standing(session).charged
    except AdjustmentRefused:
        return session.ready_at or at, session.ended_at or at
    return charged.started_at, charged.ended_at


def _amounts(
    session: Session, windows: Sequence[tuple[datetime, datetime]], *, at: datetime
) -> list[int]:
    terms = session_terms(session.number, windows, at=at)
    return [sum(term.millicore_seconds for term in window) for window in terms]


def _balances(
    period: AllocationPeriod, moves: int, giver: Group, receiver: Group, *, at: datetime
) -> tuple[Balance, ...]:
    quotas = ComputeQuota.objects.filter(period=period, group__in=(giver, receiver))
    by_group = {quota.group_id: quota for quota in quotas.with_limit(at=at)}
    return tuple(
        _balance(group, by_group.get(group.pk), period, change, at=at)
        for group, change in ((giver, -moves), (receiver, moves))
    )


def _balance(
    group: Group, quota: ComputeQuota | None, period: AllocationPeriod, change: int, *, at: datetime
) -> Balance:
    now = used(group=group, start=period.starts_at, end=period.ends_at, at=at).millicore_seconds
    limit = millicore_seconds(quota.limit) if quota else None
    is_hard = quota is not None and quota.mode == ComputeQuota.Mode.HARD
    return Balance(group, now, now + change, limit, is_hard)
