"""A look at all nodes and pods of the cluster: what is free by size, kept for pages and forms."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction

from lsp_portal.lib import advisory
from quotas.vocabulary import Resources
from sessions import draining
from sessions.kubernetes.capacity.demands import NONE, Amounts, Demand
from sessions.kubernetes.capacity.rooms import Room, free, rooms
from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import Cluster, NotConfigured, cluster
from sessions.kubernetes.failures import KubernetesError, Refused
from sessions.kubernetes.manifests.pod import pod
from sessions.kubernetes.manifests.spec import HomeMount, Placement, ServerSpec
from sessions.models import ClusterNode, ClusterWatch, Size, SizeRoom
from sessions.rooms import SOURCE

LOG = logging.getLogger(__name__)
MIB = 1024**2
RIGHTS = " The portal must be able to list nodes and pods: deploy/kubernetes/capacity.yaml."
ANY = "any"
State = ClusterNode.State


def look(*, at: datetime) -> int:
    """Note what room there is, where the settings want it; how many nodes were seen.

    Of several workers only one looks. What goes wrong is kept for administrators.
    """
    if not settings.KUBERNETES_CAPACITY:
        return 0
    with advisory.try_held("capacity") as is_mine:
        return _look(at=at) if is_mine else 0


def _look(*, at: datetime) -> int:
    try:
        here = cluster()
        client = Client.of(here)
        nodes = list(client.list("Node"))
        found = rooms(nodes, client.list("Pod"))
    except (KubernetesError, NotConfigured) as error:
        LOG.warning("the cluster's room is not known: %s", error)
        trouble = f"{error}{RIGHTS if isinstance(error, Refused) else ''}"
        ClusterWatch.objects.update_or_create(source=SOURCE, defaults={"trouble": trouble})
        return 0
    keep(found, here, at=at)
    return len(found)


@transaction.atomic
def keep(found: Sequence[Room], here: Cluster, *, at: datetime) -> None:
    """Let the rows say this, and nothing of nodes that are not among it."""
    demands = {size.pk: demand_of(size, here) for size in Size.objects.all()}
    closed = draining.avoided()
    _keep_nodes([_node(room, demands.values(), here, at) for room in found])
    SizeRoom.objects.bulk_create(
        [
            SizeRoom(size_id=size, free=free(demand, found, without=closed), seen_at=at)
            for size, demand in sorted(demands.items())
        ],
        update_conflicts=True,
        unique_fields=["size"],
        update_fields=["free", "seen_at"],
    )
    ClusterWatch.objects.update_or_create(
        source=SOURCE,
        defaults={"listed_at": at, "heard_at": at, "listed": len(found), "trouble": ""},
    )


def demand_of(size: Size, here: Cluster) -> Demand:
    """What the pod of a server of that size asks for, as the portal would make it."""
    spec = ServerSpec(
        session=UUID(int=0),
        number=0,
        hub="",
        namespace=ANY,
        user=ANY,
        server="",
        image=ANY,
        command=(),
        port=1,
        resources=Resources(size.cpu_millicores, size.memory_mib, size.gpus),
        uid=1,
        gids=(),
        home=HomeMount(path="/", claim=ANY, sub_path=ANY if here.homes == "directory" else ""),
        placement=Placement(size.node_selector, tuple(size.tolerations), size.priority_class),
    )
    return Demand.of(pod(spec, here))


def _keep_nodes(nodes: Collection[ClusterNode]) -> None:
    ClusterNode.objects.exclude(name__in=[node.name for node in nodes]).delete()
    names = [field.name for field in ClusterNode._meta.concrete_fields if field.name != "name"]
    ClusterNode.objects.bulk_create(
        nodes, update_conflicts=True, unique_fields=["name"], update_fields=names
    )


def _node(room: Room, demands: Iterable[Demand], here: Cluster, at: datetime) -> ClusterNode:
    state, message = _state(room, demands)
    given, asked = room.allocatable, room.used
    return ClusterNode(
        name=room.name,
        state=state,
        message=message,
        cpu_millicores=int(given.get("cpu", NONE) * 1000),
        cpu_asked=_up(asked.get("cpu", NONE) * 1000),
        memory_mib=int(given.get("memory", NONE) // MIB),
        memory_asked=_up(asked.get("memory", NONE) / MIB),
        gpus=_whole(given, here.gpu_resource),
        gpus_asked=_whole(asked, here.gpu_resource),
        servers=room.servers,
        placeholders=room.placeholders,
        seen_at=at,
    )


def _state(room: Room, demands: Iterable[Demand]) -> tuple[ClusterNode.State, str]:
    """Why no server of any size is placed there, however empty it is."""
    if room.is_cordoned:
        return State.CORDONED, "It is cordoned."
    if not room.is_ready:
        return State.NOT_READY, "It is not ready."
    if any(room.takes(demand) for demand in demands):
        return State.OPEN, ""
    taints = ", ".join(f"{taint.get('key')}:{taint.get('effect')}" for taint in room.taints)
    if taints:
        return State.RESERVED, f"No size bears its taints ({taints})."
    return State.RESERVED, "No size asks for its labels."


def _up(amount: Decimal) -> int:
    return -int(-amount // 1)


def _whole(of: Amounts | Mapping[str, Decimal], name: str) -> int:
    return int(of.get(name, NONE))
