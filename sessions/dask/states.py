"""How a Dask cluster goes from one state to the next: each a conditional update.

Every function returns whether it was this call that made the change.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q

from sessions.dask.messages import tend_soon
from sessions.models import DaskCluster, Server, Session

State, Desired = DaskCluster.State, DaskCluster.Desired

SESSION_ENDED = "Its session has ended."


def mark_applied(cluster: DaskCluster, *, wish: int, at: datetime) -> bool:
    """Kubernetes knows this wish, or a later one."""
    wanted = _wanted(cluster)
    wanted.filter(state=State.ASKED).update(state=State.STARTING, changed_at=at)
    return bool(wanted.filter(applied__lt=wish, wish__gte=wish).update(applied=wish, changed_at=at))


def mark_running(cluster: DaskCluster, *, at: datetime) -> bool:
    """Its scheduler answers."""
    starting = _wanted(cluster).filter(state=State.STARTING)
    return bool(starting.update(state=State.RUNNING, running_at=at, changed_at=at, note=""))


def tell(cluster: DaskCluster, note: str) -> bool:
    """What there is to say of it now, for people."""
    return bool(DaskCluster.objects.filter(pk=cluster.pk).exclude(note=note).update(note=note))


def stop(cluster: DaskCluster, *, at: datetime, why: str = "") -> bool:
    """It is not wanted any more; it is gone when Kubernetes has nothing of it."""
    changed = _wanted(cluster).update(
        desired=Desired.GONE, state=State.DELETING, stop_asked_at=at, changed_at=at, note=why
    )
    if cluster.cleaned_at is None:
        tend_soon(cluster.pk)
    return bool(changed)


def mark_gone(cluster: DaskCluster, *, at: datetime) -> bool:
    """Nothing of it is in Kubernetes any more."""
    deleting = DaskCluster.objects.filter(pk=cluster.pk, desired=Desired.GONE, cleaned_at=None)
    values: dict[str, Any] = {"state": State.GONE, "cleaned_at": at, "changed_at": at}
    return bool(deleting.update(claimed_until=None, **values))


def stop_clusters_of(sessions: Iterable[int], *, at: datetime) -> None:
    """With their sessions."""
    wanted = DaskCluster.objects.wanted().filter(session__in=list(sessions))
    for cluster in wanted:
        stop(cluster, at=at, why=SESSION_ENDED)


def stop_orphans(*, at: datetime) -> None:
    """Those that are wanted although their sessions are over, or about to be."""
    over = Q(session__ended_at__isnull=False) | ~Q(session__driven__desired=Server.Desired.RUNNING)
    expired = Q(session__ready_at=None, session__lease_until__lte=at)
    found = DaskCluster.objects.wanted().filter(over | expired)
    stop_clusters_of(found.values_list("session", flat=True), at=at)


def is_over(session: Session, *, at: datetime) -> bool:
    """Whether no cluster may run for it any more."""
    ended = session.state(at=at) in (Session.State.ENDED, Session.State.FAILED)
    return ended or not session.driven.is_wanted


def _wanted(cluster: DaskCluster) -> Any:
    return DaskCluster.objects.filter(pk=cluster.pk, desired=Desired.RUNNING)
