"""A small Dask operator: scheduler and workers from clusters, sizes from autoscalers, a finalizer.

Like the real one it copies the labels of a cluster to all that it makes, and does nothing at all
while it is down: what is deleted then waits for it.
"""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from typing import Any
from uuid import uuid4

from tests.kubernetes.fake.api import Api
from tests.kubernetes.fake.resources import PODS, SERVICES, ApiError, Change, Object, Resource
from tests.kubernetes.fake.timeline import Timeline

GROUP, VERSION = "kubernetes.dask.org", "v1"
CLUSTERS = Resource(GROUP, VERSION, "daskclusters")
AUTOSCALERS = Resource(GROUP, VERSION, "daskautoscalers")
WORKER_GROUPS = Resource(GROUP, VERSION, "daskworkergroups")
FINALIZER = "kopf.zalando.org/KopfFinalizerMarker"
PORT = 8786


class DaskOperator:
    def __init__(self, api: Api, timeline: Timeline) -> None:
        self._api, self._store, self._timeline = api, api.store, timeline
        self.is_running = True
        self._store.listeners.append(self._heard)

    def stop(self) -> None:
        self.is_running = False

    def resume(self) -> None:
        """It is back, and looks at all that happened meanwhile."""
        self.is_running = True
        for cluster in self._store.all(CLUSTERS):
            self._tend_soon(cluster)

    def want(self, namespace: str, name: str, workers: int) -> None:
        """The work of a cluster asks for so many workers: one step of its autoscaler."""
        limits = self._store.get(AUTOSCALERS, namespace, name)["spec"]
        now = self._store.get(CLUSTERS, namespace, name)["spec"]["worker"]["replicas"]
        fewest = max(limits["minimum"], now - max(1, now // 4))
        self._scale(namespace, name, max(fewest, min(workers, limits["maximum"])))

    def find_idle(self, namespace: str, name: str) -> None:
        """The cluster had nothing to do for its idle timeout."""
        self._api.delete(CLUSTERS, namespace, name)

    def _heard(self, change: Change) -> None:
        if change.kind == "DELETED":
            return
        if change.resource == CLUSTERS:
            self._tend_soon(change.object)
        elif change.resource == AUTOSCALERS:
            self._timeline.after(0, lambda: self._adopt(change.object))
        elif change.resource == PODS and change.object["metadata"].get("ownerReferences"):
            self._timeline.after(0, lambda: self._tell(change.object))

    def _tend_soon(self, cluster: Object) -> None:
        about = cluster["metadata"]
        self._timeline.after(0, lambda: self._tend(about["namespace"], about["name"]))

    def _tend(self, namespace: str, name: str) -> None:
        """Bring what there is to what the cluster says now."""
        with self._store.lock:
            cluster = self._store.find(CLUSTERS, namespace, name)
            if cluster is None or not self.is_running:
                return
            if "deletionTimestamp" in cluster["metadata"]:
                self._release(cluster)
                return
            if FINALIZER not in cluster["metadata"].get("finalizers", []):
                self._hold(cluster)
                return  # which is heard again
            self._make_scheduler(cluster)
            self._match_workers(cluster)

    def _hold(self, cluster: Object) -> None:
        held = {"finalizers": [FINALIZER]}
        self._update(cluster, lambda now: {**now, "metadata": now["metadata"] | held})

    def _release(self, cluster: Object) -> None:
        """The end: what it owns goes with it."""
        about = cluster["metadata"]
        free: Any = {k: v for k, v in about.items() if k != "finalizers"}
        self._update(cluster, lambda now: {**now, "metadata": free})

    def _make_scheduler(self, cluster: Object) -> None:
        name, told = f"{cluster['metadata']['name']}-scheduler", cluster["spec"]["scheduler"]
        self._make(cluster, PODS, name, "scheduler", told["spec"])
        self._make(cluster, SERVICES, name, "scheduler", told["service"])
        group = {"cluster": cluster["metadata"]["name"], "worker": cluster["spec"]["worker"]}
        self._make(cluster, WORKER_GROUPS, f"{cluster['metadata']['name']}-default", "group", group)

    def _match_workers(self, cluster: Object) -> None:
        wanted, there = cluster["spec"]["worker"]["replicas"], self._workers(cluster)
        for _ in range(wanted - len(there)):
            name = f"{cluster['metadata']['name']}-default-worker-{uuid4().hex[:10]}"
            self._make(cluster, PODS, name, "worker", cluster["spec"]["worker"]["spec"])
        for pod in there[wanted:]:
            self._api.delete(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])

    def _workers(self, cluster: Object) -> list[Object]:
        """Its workers that are not on their way out, oldest first."""
        about = cluster["metadata"]
        pods = self._store.all(PODS, about["namespace"])
        own = [
            pod
            for pod in pods
            if any(o["uid"] == about["uid"] for o in pod["metadata"].get("ownerReferences", []))
            and pod["metadata"]["labels"]["dask.org/component"] == "worker"
            and "deletionTimestamp" not in pod["metadata"]
        ]
        return sorted(own, key=lambda pod: int(pod["metadata"]["resourceVersion"]))

    def _make(
        self, cluster: Object, resource: Resource, name: str, component: str, spec: Object
    ) -> None:
        about = cluster["metadata"]
        own = {"dask.org/cluster-name": about["name"], "dask.org/component": component}
        owner = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "DaskCluster"}
        owner |= {"name": about["name"], "uid": about["uid"]}
        spec = deepcopy(spec)
        for container in spec.get("containers", ()):
            address = f"tcp://{about['name']}-scheduler.{about['namespace']}.svc:{PORT}"
            added = {"DASK_WORKER_NAME": name, "DASK_SCHEDULER_ADDRESS": address}
            container.setdefault("env", []).extend(
                {"name": key, "value": value} for key, value in added.items()
            )
        thing = {
            "apiVersion": resource.api_version,
            "metadata": {
                "name": name,
                "namespace": about["namespace"],
                "labels": about.get("labels", {}) | own,
                "ownerReferences": [owner],
            },
            "spec": spec,
        }
        with suppress(ApiError):  # there already, or refused by the namespace's limits
            self._api.create(resource, about["namespace"], thing)

    def _adopt(self, autoscaler: Object) -> None:
        """What the autoscaler says holds from now on."""
        about, limits = autoscaler["metadata"], autoscaler["spec"]
        cluster = self._store.find(CLUSTERS, about["namespace"], limits["cluster"])
        if cluster is None or not self.is_running or "deletionTimestamp" in about:
            return
        now = cluster["spec"]["worker"]["replicas"]
        wanted = max(limits["minimum"], min(now, limits["maximum"]))
        self._scale(about["namespace"], limits["cluster"], wanted)

    def _scale(self, namespace: str, name: str, workers: int) -> None:
        body = {"spec": {"replicas": workers}}
        merge = "application/merge-patch+json"
        with suppress(ApiError):
            self._api.patch(CLUSTERS, namespace, name, body, merge, "scale")

    def _tell(self, pod: Object) -> None:
        """The phase of the cluster, as its scheduler is."""
        labels, status = pod["metadata"].get("labels", {}), pod.get("status", {})
        if labels.get("dask.org/component") != "scheduler" or not self.is_running:
            return
        ready = any(
            c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", [])
        )
        place = pod["metadata"]["namespace"], labels["dask.org/cluster-name"]
        if ready and self._store.find(CLUSTERS, *place):
            told = {"status": {"phase": "Running"}}
            with suppress(ApiError):
                self._store.update(CLUSTERS, *place, lambda now: {**now, **told})

    def _update(self, cluster: Object, change: Any) -> None:
        about = cluster["metadata"]
        with suppress(ApiError):
            self._store.update(CLUSTERS, about["namespace"], about["name"], change)
