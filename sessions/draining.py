"""Emptying nodes: whom it concerns, what they are told, and the end of those who stay too long.

The portal never writes nodes: the right to do so would be a right to every node's labels and
taints. Its own servers keep away from nodes that are emptied here; what others place is kept away
by a cordon in the cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse

from accounts.models import Notice, Topic, User
from accounts.notices.announcing import Message, announce
from lsp_portal.lib.display import plain_moment
from sessions.hub.pod_events import READY
from sessions.models import ClusterNode, ClusterWatch, Hub, HubEvent, NodeDrain, Session
from sessions.models.records import SessionQuerySet
from sessions.rooms import SOURCE, STALE_AFTER
from sessions.stopping import own_server, stop_sessions

SHORTEST = timedelta(minutes=15)  # for people to save their work
MOST_STOPS = 50  # at one hub in one run
CORDONED = "It was cordoned in the cluster."


@dataclass
class DrainRefused(Exception):  # noqa: N818 - a decision, not a fault
    """The node is not emptied as was asked."""

    code: str
    detail: str
    status: int = 409

    def __str__(self) -> str:
        return self.detail


def drain(
    node: ClusterNode, *, by: User, reason: str, stops_at: datetime | None, at: datetime
) -> NodeDrain:
    """Begin to empty a node. One that was only cordoned so far gets the reason and the end.

    Raises DrainRefused `too_soon` and `draining`.
    """
    if stops_at is not None and stops_at < at + SHORTEST:
        raise DrainRefused(
            "too_soon",
            f"Leave people at least {SHORTEST // timedelta(minutes=1)} minutes to save their work.",
            400,
        )
    try:
        with transaction.atomic():
            NodeDrain.objects.open().of_cluster().filter(node=node.name).update(finished_at=at)
            return NodeDrain.objects.create(
                node=node.name, asked_by=by, reason=reason, started_at=at, stops_at=stops_at
            )
    except IntegrityError as error:
        raise DrainRefused("draining", f"The node {node.name} is being emptied already.") from error


def resume(drain: NodeDrain, *, at: datetime) -> bool:
    """Call it off: servers may be placed there again. False where it was over already."""
    with transaction.atomic():
        row = NodeDrain.objects.open().select_for_update().filter(pk=drain.pk).first()
        if row is None:
            return False
        row.finished_at = at
        row.save(update_fields=["finished_at"])
    return True


def avoided() -> list[str]:
    """Nodes on which the portal places nothing new."""
    return list(NodeDrain.objects.open().order_by("node").values_list("node", flat=True))


def people_on(nodes: Iterable[str], *, at: datetime) -> SessionQuerySet:
    """Sessions that run on these nodes of the cluster, by the records.

    Nodes of other clusters may have the same names: what counts are servers of the portal, and
    those whose pods it has seen.
    """
    seen = HubEvent.objects.filter(hub=OuterRef("hub"), session=OuterRef("key"), type=READY)
    here = Q(hub__mode=Hub.Mode.DRIVE) | Q(Exists(seen))
    return Session.objects.open().running(at=at).filter(here, own_server(), node__in=list(nodes))


def drains_of(sessions: Collection[Session], *, at: datetime) -> dict[int, NodeDrain]:
    """The drain of its node, by the number of each session that is concerned."""
    on = {one.node for one in sessions if one.node}
    drains = {row.node: row for row in NodeDrain.objects.open().filter(node__in=on)} if on else {}
    if not drains:
        return {}
    concerned = people_on(drains, at=at).filter(pk__in=[one.pk for one in sessions])
    return {number: drains[node] for number, node in concerned.values_list("pk", "node")}


def tend(*, at: datetime) -> int:
    """Follow the cluster's cordons, tell people, and end what has stayed too long.

    How many servers hubs were asked to stop. What is due is read from rows, so a lost run costs
    only time. Nothing here may be called inside a database transaction: hubs are asked.
    """
    _follow_cordons(at=at)
    drains = {row.node: row for row in NodeDrain.objects.open()}
    sessions = list(people_on(drains, at=at).select_related("hub", "user").order_by("number"))
    _warn([(session, drains[session.node]) for session in sessions], at=at)
    overdue: dict[Hub, list[Session]] = defaultdict(list)
    for session in sessions:
        stops_at = drains[session.node].stops_at
        if stops_at is not None and stops_at <= at:
            overdue[session.hub].append(session)
    return sum(_stop(hub, found, at=at) for hub, found in overdue.items())


def _follow_cordons(*, at: datetime) -> None:
    """What was cordoned is emptied; what is not any more, or is gone, is not. Old looks say
    nothing.
    """
    watch = ClusterWatch.objects.filter(source=SOURCE, heard_at__gte=at - STALE_AFTER).first()
    if watch is None:
        return
    nodes = dict(ClusterNode.objects.values_list("name", "state"))
    cordoned = {name for name, state in nodes.items() if state == ClusterNode.State.CORDONED}
    rows = NodeDrain.objects.open().filter(started_at__lte=watch.heard_at)
    rows.exclude(node__in=nodes).update(finished_at=at)
    rows.of_cluster().exclude(node__in=cordoned).update(finished_at=at)
    new = sorted(cordoned.difference(avoided()))
    NodeDrain.objects.bulk_create(
        [NodeDrain(node=name, reason=CORDONED, started_at=at) for name in new],
        ignore_conflicts=True,  # an administrator was faster
    )


def _stop(hub: Hub, sessions: list[Session], *, at: datetime) -> int:
    """End them the way all servers end, so that records say who ended them and why."""
    unasked_first = sorted(sessions, key=lambda one: one.stop_requested_at is not None)
    wanted = [(one, f"its node {one.node} is taken out of service") for one in unasked_first]
    stopped = stop_sessions(hub, wanted[:MOST_STOPS], reason="evicted", at=at).sessions
    for session in stopped:
        _tell_stopped(session, at=at)
    return len(stopped)


def _warn(concerned: list[tuple[Session, NodeDrain]], *, at: datetime) -> None:
    """Tell those who were not told yet."""
    keys = {_key(session, row): (session, row) for session, row in concerned}
    told = set(Notice.objects.filter(key__in=keys).values_list("key", flat=True))
    for key, (session, row) in keys.items():
        if key not in told:
            _warn_one(session, row, key, at=at)


def _key(session: Session, row: NodeDrain) -> str:
    return f"session:{session.number}:drain:{row.pk}"


def _warn_one(session: Session, row: NodeDrain, key: str, *, at: datetime) -> None:
    title = session.hub.title
    if row.stops_at is None:
        subject = f"Please finish your session at {title}"
        then = "Your session goes on for now. Save your work and stop it when you can."
    else:
        end = plain_moment(row.stops_at)
        subject = f"Your session at {title} will be stopped at {end}"
        then = f"Save your work: your session will be stopped at {end}."
    text = (
        f"The machine that your session at {title} runs on is taken out of service."
        f"{f' {row.reason}' if row.asked_by_id and row.reason else ''}\n\n{then} Files in your "
        "home stay. You can start again at once, on another machine."
    )
    _tell(session, key, subject, text, at=at)


def _tell_stopped(session: Session, *, at: datetime) -> None:
    title = session.hub.title
    _tell(
        session,
        f"session:{session.number}:drained",
        f"Your session at {title} was stopped",
        f"The machine that it ran on was taken out of service, so your session at {title} was "
        f"stopped at {plain_moment(at)}. Files in your home stay. You can start again at once.",
        at=at,
    )


def _tell(session: Session, key: str, subject: str, text: str, *, at: datetime) -> None:
    """Once each, by the key."""
    if session.user is None:
        return
    message = Message(
        topic=Topic.SESSION,
        key=key,
        subject=subject,
        text=text,
        link=reverse("my_usage"),
        link_label="Open my sessions",
    )
    announce(message, to=[session.user], at=at)
