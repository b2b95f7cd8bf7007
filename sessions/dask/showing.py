"""A session's Dask cluster as people see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import Count, Prefetch, Q

from accounts.models import User
from sessions.dask.asking import is_offered
from sessions.dask.states import is_over
from sessions.models import DaskCluster, Session
from sessions.models.dask import DaskClusterQuerySet
from sessions.usage import WHOLE, usage

USED = f"""
SELECT {WHOLE} FROM hub_sessions_charge c WHERE c.session_id = %(session)s AND c.origin = 'dask'
"""
RUNNING = Q(
    recorded_workers__started_at__isnull=False,
    recorded_workers__finished_at=None,
    recorded_workers__gone_at=None,
)

TONES = {
    DaskCluster.State.ASKED: Session.State.PENDING,
    DaskCluster.State.STARTING: Session.State.PENDING,
    DaskCluster.State.RUNNING: Session.State.READY,
    DaskCluster.State.DELETING: Session.State.STOPPING,
    DaskCluster.State.GONE: Session.State.ENDED,
}


@dataclass(frozen=True, slots=True)
class Panel:
    """The cluster that is not gone, or else the last one; what all of them used so far.

    `may_change`: the reader is the person of the session, which still runs.
    """

    session: Session
    cluster: DaskCluster | None
    running: int
    used: int
    may_change: bool

    @property
    def shown_as(self) -> str:
        """The state of a session that looks like it."""
        return TONES[DaskCluster.State(self.cluster.state)] if self.cluster else ""

    @property
    def idle(self) -> str:
        """After which time without work it ends; empty for never."""
        seconds = self.cluster.idle_seconds if self.cluster else 0
        return f"{max(1, seconds // 60)} min" if seconds else ""

    @property
    def first_workers(self) -> int:
        return self.cluster.workers if self.cluster else settings.DASK_WORKERS

    @property
    def is_ending(self) -> bool:
        """Whether the next one has to wait for its end."""
        return self.cluster is not None and self.cluster.state == DaskCluster.State.DELETING

    @property
    def is_live(self) -> bool:
        return self.cluster is not None and self.cluster.cleaned_at is None


def panel(session: Session, *, user: User, at: datetime) -> Panel | None:
    """None where there never was one, and the reader can ask for none."""
    may_change = session.user_id == user.pk and is_offered(session) and not is_over(session, at=at)
    cluster = counted(session.dask_clusters.all()).order_by("pk").last()
    if cluster is None and not may_change:
        return None
    with connection.cursor() as cursor:
        cursor.execute(USED, {"session": session.pk, "at": at})
        used = usage(cursor.fetchone()).millicore_seconds
    running = int(getattr(cluster, "running", 0))
    return Panel(session, cluster, running, used, may_change)


def counted(clusters: DaskClusterQuerySet) -> DaskClusterQuerySet:
    """With the number of workers that run, as `running`."""
    return clusters.annotate(running=Count("recorded_workers", filter=RUNNING))


def beside_sessions() -> Prefetch[str, DaskClusterQuerySet, str]:
    """The clusters of sessions that are not gone, as `dask` of each."""
    clusters = counted(DaskCluster.objects.unfinished())
    return Prefetch("dask_clusters", queryset=clusters, to_attr="dask")
