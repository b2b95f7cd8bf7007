"""What administrators see of the cluster: its nodes, what is free, who is where. Rows only."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Q

from sessions.draining import people_on
from sessions.models import ClusterNode, ClusterWatch, NodeDrain, NodeImage, Session, Size
from sessions.rooms import SOURCE, Rooms


@dataclass(frozen=True, slots=True)
class SizeRow:
    """A size, and how many would find a place; None where that is not known."""

    size: Size
    free: int | None


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node, how many of the images that are wanted are on it, and whose servers run there."""

    node: ClusterNode
    images: int
    images_wanted: int
    sessions: list[Session]
    drain: NodeDrain | None

    @property
    def is_empty(self) -> bool:
        """Neither a pod of a server is on it, as it was seen since the drain began, nor does a
        record say so: nothing is lost with it.
        """
        seen_since = self.drain is not None and self.node.seen_at >= self.drain.started_at
        return seen_since and not self.node.servers and not self.sessions

    @property
    def tone(self) -> str:
        if self.drain is not None:
            return "ok" if self.is_empty else "warn"
        return {"open": "ok", "not_ready": "bad"}.get(self.node.state, "none")

    @property
    def word(self) -> str:
        if self.drain is not None:
            return "empty" if self.is_empty else "being emptied"
        return ClusterNode.State(self.node.state).label


@dataclass(frozen=True, slots=True)
class ClusterView:
    """`is_watched`: whether the portal looks at all; `trouble`: why it is not seen now."""

    is_watched: bool
    rooms: Rooms
    trouble: str
    sizes: list[SizeRow]
    nodes: list[NodeRow]


def cluster_view(*, at: datetime) -> ClusterView:
    """The cluster as it was seen last."""
    rooms = Rooms.now(at=at)
    watch = ClusterWatch.objects.filter(source=SOURCE).first()
    return ClusterView(
        is_watched=settings.KUBERNETES_CAPACITY,
        rooms=rooms,
        trouble=watch.trouble if watch else "",
        sizes=[SizeRow(size, rooms.of_size(size.name)) for size in Size.objects.all()],
        nodes=node_rows(at=at),
    )


def node_rows(*, at: datetime) -> list[NodeRow]:
    """Every node by name, with few statements however many there are."""
    nodes = list(ClusterNode.objects.all())
    drains = {row.node: row for row in NodeDrain.objects.open().select_related("asked_by")}
    sessions = _sessions_on([node.name for node in nodes], at=at)
    present, wanted = _images()
    return [
        NodeRow(
            node, present[node.name], wanted[node.name], sessions[node.name], drains.get(node.name)
        )
        for node in nodes
    ]


def _sessions_on(names: list[str], *, at: datetime) -> dict[str, list[Session]]:
    found: dict[str, list[Session]] = defaultdict(list)
    running = people_on(names, at=at).select_related("hub", "user", "group")
    for session in running.order_by("node", "ready_at", "number"):
        found[session.node].append(session)
    return found


def _images() -> tuple[Counter[str], Counter[str]]:
    """Of each node how many images are there, and how many are wanted."""
    is_there = Count("pk", filter=Q(state=NodeImage.State.PRESENT))
    rows = NodeImage.objects.values("node").annotate(there=is_there, wanted=Count("pk"))
    present, wanted = Counter[str](), Counter[str]()
    for row in rows.order_by("node"):
        present[row["node"]], wanted[row["node"]] = row["there"], row["wanted"]
    return present, wanted
