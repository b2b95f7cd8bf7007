"""What each node has left, and how many servers would find a place now. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sessions.kubernetes.capacity.demands import NONE, Amounts, Demand, amounts, requests
from sessions.kubernetes.names import (
    COMPONENT_LABEL,
    MANAGER,
    MANAGER_LABEL,
    NOTEBOOK,
    PLACEHOLDER,
    Manifest,
)

OVER = ("Succeeded", "Failed")
SPAWNED = ("component", "singleuser-server")  # the label of KubeSpawner's pods


@dataclass(slots=True)
class Room:
    """A node, what it has, and what the pods on it ask for.

    What placeholders ask for is not in `used`: they make room for any server.
    """

    name: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, Any], ...]
    is_cordoned: bool
    is_ready: bool
    allocatable: Amounts
    used: dict[str, Any] = field(default_factory=dict)
    servers: int = 0
    placeholders: int = 0

    @classmethod
    def of(cls, node: Manifest) -> Room:
        spec, status = node.get("spec") or {}, node.get("status") or {}
        return cls(
            name=node["metadata"]["name"],
            labels=node["metadata"].get("labels") or {},
            taints=tuple(spec.get("taints") or ()),
            is_cordoned=bool(spec.get("unschedulable")),
            is_ready=_is_ready(status),
            allocatable=amounts(status.get("allocatable") or {}),
        )

    def take(self, pod: Manifest) -> None:
        """Count what the pod takes of the node."""
        if _is_ours(pod, PLACEHOLDER):
            self.placeholders += 1
            return
        self.servers += is_server(pod)
        for name, amount in requests(pod["spec"]).items():
            self.used[name] = self.used.get(name, NONE) + amount

    def takes(self, demand: Demand) -> bool:
        """Whether the node is one on which such a pod may be, however full it is."""
        if self.is_cordoned or not self.is_ready or not demand.bears(self.taints):
            return False
        return demand.node_selector.items() <= self.labels.items()

    def fits(self, demand: Demand) -> int:
        """How many such pods find a place on the node."""
        if not self.takes(demand):
            return 0
        times = (
            (self.allocatable.get(name, NONE) - self.used.get(name, NONE)) // asked
            for name, asked in demand.amounts.items()
            if asked
        )
        return max(0, int(min(times)))


def rooms(nodes: Iterable[Manifest], pods: Iterable[Manifest]) -> list[Room]:
    """The nodes by name, with what the pods on them take; pods that are over take nothing."""
    by_node: dict[str, list[Manifest]] = defaultdict(list)
    for pod in pods:
        if (pod.get("status") or {}).get("phase") not in OVER:
            by_node[(pod.get("spec") or {}).get("nodeName") or ""].append(pod)
    found = sorted((Room.of(node) for node in nodes), key=lambda room: room.name)
    for room in found:
        for pod in by_node[room.name]:
            room.take(pod)
    return found


def free(demand: Demand, among: Iterable[Room], *, without: Collection[str] = ()) -> int:
    """How many such pods would find a place now, on nodes not named in `without`."""
    return sum(room.fits(demand) for room in among if room.name not in without)


def is_server(pod: Manifest) -> bool:
    """A server of a person, made by the portal or by KubeSpawner."""
    name, value = SPAWNED
    labels = pod["metadata"].get("labels") or {}
    return _is_ours(pod, NOTEBOOK) or labels.get(name) == value


def _is_ours(pod: Manifest, component: str) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return (labels.get(MANAGER_LABEL), labels.get(COMPONENT_LABEL)) == (MANAGER, component)


def _is_ready(status: Mapping[str, Any]) -> bool:
    conditions = status.get("conditions") or []
    ready = [one.get("status") for one in conditions if one.get("type") == "Ready"]
    return ready == ["True"]
