"""Rows written straight into the tables, for tests of sums over many charges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from accounts.models import Group, User
from sessions.models import Charge, Hub, Session, StaleDay
from tests.accounting.cast import Cast

EPOCH = datetime(2026, 5, 1, tzinfo=UTC)


def add_session(
    hub: Hub,
    *,
    user: User | None,
    group: Group | None,
    started_at: datetime,
    ended_at: datetime | None,
    cpu_millicores: int = 1000,
    memory_mib: int = 2048,
    gpus: int = 0,
    end_reason: str = "user",
    requested_at: datetime | None = None,
) -> Session:
    """A session that became ready at `started_at`, as its events would have left it."""
    return Session.objects.create(
        hub=hub,
        user=user,
        group=group,
        user_name=user.username if user else "somebody",
        group_name=group.name if group else "",
        image="base",
        size="small",
        cpu_millicores=cpu_millicores,
        memory_mib=memory_mib,
        gpus=gpus,
        requested_at=requested_at or started_at - timedelta(seconds=20),
        ready_at=started_at,
        stopped_at=ended_at,
        ended_at=ended_at,
        end_source="stop" if ended_at else "",
        end_reason=end_reason if ended_at else "",
    )


def add_charge(session: Session, *, sign: int = 1, origin: str = "notebook") -> Charge:
    """What the session costs, with its stale days if it is closed."""
    assert session.ready_at
    assert session.cpu_millicores
    charge = Charge.objects.create(
        session=session,
        user=session.user,
        group=session.group,
        started_at=session.ready_at,
        ended_at=session.ended_at,
        cpu_millicores=session.cpu_millicores,
        memory_mib=session.memory_mib or 0,
        gpus=session.gpus or 0,
        sign=sign,
        origin=origin,
    )
    mark_stale(charge)
    return charge


def mark_stale(charge: Charge) -> None:
    """Note the days of a closed charge, as every writer of charges does."""
    if charge.ended_at is None or charge.ended_at == charge.started_at:
        return
    first = charge.started_at.date()
    last = (charge.ended_at - timedelta(microseconds=1)).date()
    StaleDay.objects.bulk_create(
        StaleDay(day=first + timedelta(days=number), group=charge.group)
        for number in range((last - first).days + 1)
    )


def add_many(cast: Cast, count: int) -> None:
    """Finished sessions in bulk, of a minute each."""
    sessions = Session.objects.bulk_create(
        Session(
            hub=cast.hub,
            user=cast.bob,
            group=cast.transients,
            image="base",
            size="small",
            requested_at=EPOCH,
            ready_at=EPOCH,
            ended_at=EPOCH + timedelta(minutes=1),
            end_source="stop",
        )
        for _ in range(count)
    )
    Charge.objects.bulk_create(
        Charge(
            session=session,
            user=cast.bob,
            group=cast.transients,
            started_at=EPOCH,
            ended_at=EPOCH + timedelta(minutes=1),
            cpu_millicores=1500,
        )
        for session in sessions
    )
