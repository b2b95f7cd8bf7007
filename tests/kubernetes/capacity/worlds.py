"""Clusters of any shape, with the fake's scheduler and without its API."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import strategies as st

from quotas.vocabulary import Resources
from sessions.kubernetes.manifests.pod import DEDICATED, pod
from sessions.kubernetes.manifests.server import Placement
from sessions.models import Size
from tests.kubernetes.fake import statuses
from tests.kubernetes.fake.resources import CLAIMS, NODES, Object
from tests.kubernetes.fake.scheduler import Scheduler
from tests.kubernetes.fake.store import Store
from tests.kubernetes.specs import ONE, bobs_server

GPU = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}
KEPT = {name: DEDICATED[name] for name in ("key", "value", "effect")}
OTHER = {"key": "team", "value": "ops", "effect": "NoExecute"}
SOFT = {"key": "old", "effect": "PreferNoSchedule"}
BEARS = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}

cpus = st.sampled_from(["0", "250m", "500m", "1", "1.5", "2", "3920m", "1e1"])
memories = st.sampled_from(["0", "512Mi", "1Gi", "1500M", "4Gi", "7912Ki", "16Gi"])
selectors = st.sampled_from([{}, {"disk": "ssd"}])


@st.composite
def nodes(draw: st.DrawFn) -> Object:
    room = {
        "cpu": draw(cpus),
        "memory": draw(memories),
        "pods": str(draw(st.integers(0, 6))),
        "nvidia.com/gpu": str(draw(st.integers(0, 2))),
    }
    taints = draw(st.lists(st.sampled_from([GPU, KEPT, OTHER, SOFT]), max_size=2))
    status = statuses.condition({"allocatable": room}, "Ready", True, "KubeletReady")
    return {
        "metadata": {"labels": draw(st.sampled_from([{}, {"disk": "ssd"}, {"disk": "hdd"}]))},
        "spec": {"taints": taints, "unschedulable": draw(st.sampled_from([False, False, True]))},
        "status": status,
    }


@st.composite
def workloads(draw: st.DrawFn) -> Object:
    """Pods of others, with requests, limits alone, and init containers that ask for more."""

    def container() -> Object:
        given = {"cpu": draw(cpus), "memory": draw(memories)}
        return {"resources": {draw(st.sampled_from(["requests", "limits"])): given}}

    return {
        "containers": [container() for _ in range(draw(st.integers(1, 2)))],
        "initContainers": [container() for _ in range(draw(st.integers(0, 1)))],
        "tolerations": draw(st.sampled_from([[], [{"operator": "Exists"}]])),
    }


@st.composite
def sizes(draw: st.DrawFn) -> Size:
    return Size(
        name="any",
        cpu_millicores=draw(st.sampled_from([1, 500, 1000, 2000])),
        memory_mib=draw(st.sampled_from([0, 512, 1024, 3000])),
        gpus=draw(st.integers(0, 1)),
        node_selector=draw(selectors),
        tolerations=draw(st.sampled_from([[], [BEARS]])),
    )


@dataclass
class World:
    """What the scheduler of the fake makes of nodes and pods."""

    store: Store
    scheduler: Scheduler
    numbers: Any

    @classmethod
    def of(cls, found: list[Object]) -> World:
        store = Store()
        for number, node in enumerate(found):
            about = {**node["metadata"], "name": f"node-{number}"}
            store.create(NODES, "", {**node, "metadata": about})
        claim = bobs_server().home.claim
        store.create(CLAIMS, "lsp", {"metadata": {"name": claim, "namespace": "lsp"}})
        return cls(store, Scheduler(store), count())

    def nodes(self) -> list[Object]:
        return self.store.all(NODES)

    def place(self, manifest: Object) -> Object | None:
        """The pod with its node; None where no node takes it."""
        about = {**manifest.get("metadata", {}), "namespace": "lsp", "uid": str(next(self.numbers))}
        thing = {**manifest, "metadata": about}
        node, _ = self.scheduler.place(thing)
        return {**thing, "spec": thing["spec"] | {"nodeName": node}} if node else None


def server_of(size: Size) -> Object:
    """The pod that the portal makes for a server of that size."""
    placement = Placement(size.node_selector, tuple(size.tolerations))
    resources = Resources(size.cpu_millicores, size.memory_mib, size.gpus)
    return pod(bobs_server(resources=resources, placement=placement), ONE)
