"""The wish for a Dask cluster: made, resized or ended by its person, under the group's lock.

What a cluster may grow to is held like a launch: workers, or the maximum of one that follows the
work, times rate and lease. So quotas hold however many ask at once, and growing needs no second
decision.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum

from accounts.models import User
from quotas.admission import Balance, hold
from sessions import launch
from sessions.catalogue import Choices, GroupChoice, choices_at
from sessions.dask import refusals
from sessions.dask.messages import tend_soon
from sessions.dask.sizes import DaskSize
from sessions.dask.states import is_over, stop
from sessions.holds import Standing, standing
from sessions.models import DaskCluster, Hub, Server, Session
from sessions.models.dask import DaskClusterQuerySet
from sessions.refusals import not_a_member

DELETED = "Deleted by its person."


def is_offered(session: Session) -> bool:
    """Whether the session could have a Dask cluster at all."""
    is_driven = Server.objects.filter(pk=session.pk).exists()
    return settings.KUBERNETES_DASK and session.hub.mode == Hub.Mode.DRIVE and is_driven


def cluster_of(session: Session) -> DaskCluster | None:
    """The one that is not gone."""
    return session.dask_clusters.unfinished().first()


def want(session: Session, size: DaskSize | None, *, at: datetime) -> tuple[DaskCluster, bool]:
    """Let the session have a cluster of that size; whether it is a new one.

    Asked again it is the same; without a size one that is there stays as it is. To shrink is
    always possible. Raises DaskRefused, and LaunchRefused
    where the person could not start a server either.
    """
    if not is_offered(session) or session.user is None:
        raise refusals.not_offered(session.hub.title)
    choices = choices_at(session.hub, user_name=session.user_name, at=at)
    if choices is None:
        raise refusals.not_running()
    with transaction.atomic():
        return _want_under_locks(session, choices, size, at=at)


def end(session: Session, *, at: datetime) -> DaskCluster:
    """Let the session have none any more. Raises DaskRefused where it has none."""
    cluster = cluster_of(session)
    if cluster is None:
        raise refusals.no_cluster()
    stop(cluster, at=at, why=DELETED)
    cluster.refresh_from_db()
    return cluster


def _want_under_locks(
    session: Session, choices: Choices, asked: DaskSize | None, *, at: datetime
) -> tuple[DaskCluster, bool]:
    """People before groups before sessions, as everywhere."""
    User.objects.select_for_update(no_key=True).get(pk=choices.person.id)
    group = _group(session, choices)
    now = standing(session.hub, choices.person, group, at=at, lock=True) if group else None
    session = _locked(session)
    if is_over(session, at=at) or session.driven.state != Server.State.READY:
        raise refusals.not_running()
    current = cluster_of(session)
    if current is not None and not current.is_wanted:
        raise refusals.deleting()
    if current is not None and asked is None:
        return current, False
    size = asked or DaskSize(settings.DASK_WORKERS)
    if current is None or size.most > current.most:
        if group is None or now is None:
            raise not_a_member(choices.person, session.group.name if session.group else None)
        launch.check_person(choices.person)
        launch.check_open(session.hub, group)
        _check_limits(session, current, group, size, now)
    return _written(session, current, size, at=at)


def _group(session: Session, choices: Choices) -> GroupChoice | None:
    """The group that pays, where the person still belongs to it."""
    return next((each for each in choices.groups if each.id == session.group_id), None)


def _locked(session: Session) -> Session:
    found = Session.objects.select_for_update(no_key=True, of=("self",))
    return found.select_related("hub", "group", "driven").get(pk=session.pk)


def _check_limits(
    session: Session, current: DaskCluster | None, group: GroupChoice, size: DaskSize, now: Standing
) -> None:
    """Of the cluster, the person, the group, and the core-hours. Raises DaskRefused."""
    others = DaskCluster.objects.wanted().exclude(pk=current.pk if current else 0)
    own = _most(others.filter(session__user=session.user_id))
    theirs = _most(others.filter(session__group=group.id))
    of_group = group.caps.workers if group.caps else None
    limits = (
        ("A Dask cluster", settings.DASK_MAX_WORKERS, 0),
        ("Your Dask clusters", settings.DASK_MAX_WORKERS_PER_USER, own),
        (
            f"The Dask clusters of “{group.title}”",
            of_group,
            theirs,
        ),
    )
    for whose, limit, taken in limits:
        if limit is not None and taken + size.most > limit:
            raise refusals.too_many(whose, wanted=size.most, taken=taken, limit=limit)
    _check_hours(session.hub, current, group, size, now)


def _check_hours(
    hub: Hub, current: DaskCluster | None, group: GroupChoice, size: DaskSize, now: Standing
) -> None:
    cores = current.cpu_millicores if current else settings.DASK_WORKER_CPU_MILLICORES
    each = hold(cores, hub.lease_seconds)
    wanted, before = each * size.most, each * current.most if current else 0
    balance = Balance(now.balance.used, now.balance.held - before, now.balance.limits)
    if not balance.admits(wanted):
        raise refusals.quota_exhausted(
            group.title, balance, wanted=size.most, own=wanted, each=each
        )
    limit = group.caps.member_millicore_seconds if group.caps else None
    used, held = now.load.member_used, now.load.member_held - before
    if limit is not None and used + held + wanted > limit:
        raise refusals.member_hours_used(group.title, used=used, held=held, limit=limit)


def _most(clusters: DaskClusterQuerySet) -> int:
    taken: int | None = clusters.aggregate(taken=Sum("most"))["taken"]
    return taken or 0


def _written(
    session: Session, current: DaskCluster | None, size: DaskSize, *, at: datetime
) -> tuple[DaskCluster, bool]:
    wanted = {"workers": size.workers, "minimum": size.minimum, "maximum": size.maximum}
    if current is None:
        made = DaskCluster.objects.create(
            session=session,
            cpu_millicores=settings.DASK_WORKER_CPU_MILLICORES,
            memory_mib=settings.DASK_WORKER_MEMORY_MIB,
            idle_seconds=settings.DASK_IDLE_SECONDS,
            asked_at=at,
            changed_at=at,
            **wanted,
        )
        tend_soon(made.pk)
        return made, True
    if any(getattr(current, name) != value for name, value in wanted.items()):
        rows = DaskCluster.objects.filter(pk=current.pk)
        rows.update(**wanted, wish=F("wish") + 1, changed_at=at)
        current.refresh_from_db()
        tend_soon(current.pk)
    return current, False
