"""A cluster for tests: the API, nodes, and what can be done to them from a test or over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import yaml

from tests.kubernetes.fake import rbac, statuses
from tests.kubernetes.fake.api import Api
from tests.kubernetes.fake.dask_operator import DaskOperator
from tests.kubernetes.fake.faults import Fault, Faults
from tests.kubernetes.fake.kubelet import Containers, Kubelet
from tests.kubernetes.fake.listing import Lister
from tests.kubernetes.fake.namespaces import Controllers
from tests.kubernetes.fake.plans import Plan
from tests.kubernetes.fake.resources import (
    NAMESPACES,
    NODES,
    PODS,
    PRIORITIES,
    STORAGE_CLASSES,
    ApiError,
    Object,
    Resource,
)
from tests.kubernetes.fake.server import CONTROL, serve
from tests.kubernetes.fake.store import Store
from tests.kubernetes.fake.timeline import Timeline

ACCOUNT = "lsp-portal"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
ADMIN, PORTAL = "the-administrator", "the-portal"
CLASSES = ("lsp-user", "lsp-puller", "lsp-placeholder")
STARTED = ("default", "kube-system", "lsp", "hub")
# What other processes may do to the cluster: POST /fake/<name> with its arguments as JSON.
CONTROLS = (
    "add_node", "compact", "crash", "evict", "fault", "clear_faults", "plan", "set_times",
    "recalculate_quotas", "recorded",
)  # fmt: skip


class FakeCluster:
    """Use it as a context manager. With `roles`, a manifest, the portal may do what that allows;
    without, everything.
    """

    def __init__(
        self,
        *,
        roles: Path | None = None,
        node: bool = True,
        containers: Containers | None = None,
        port: int = 0,
    ) -> None:
        self.store = Store()
        self.api = Api(self.store)
        self.lister = Lister(self.api)
        self.faults = Faults()
        self.timeline = Timeline()
        self.controllers = Controllers(self.api, self.timeline)
        self.kubelet = Kubelet(self.store, self.timeline, containers or Containers())
        self.dask = DaskOperator(self.api, self.timeline)
        self.bookmark_seconds = 60.0
        self.calls: list[rbac.Call] = []
        self._rules = None if roles is None else rbac.rules(roles, ACCOUNT)
        self._server = serve(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        for name in STARTED:
            self.add_namespace(name)
        for name in CLASSES:
            self.add_priority_class(name)
        if node:
            self.add_node("node-1")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.closing = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.timeline.end()
        assert self.timeline.failures == []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def control_url(self) -> str:
        return f"{self.url}{CONTROL}"

    def kubeconfig(self, path: Path, *, token: str = PORTAL) -> str:
        """Write a kubeconfig file for this cluster; its path."""
        name = "fake"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": self.url}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }
        path.write_text(yaml.safe_dump(content))
        return str(path)

    def add_namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        thing = {"apiVersion": "v1", "kind": "Namespace"}
        about = {"name": name, "labels": labels or {}}
        self.api.create(NAMESPACES, "", {**thing, "metadata": about})

    def add_priority_class(self, name: str, value: int = 0) -> None:
        about = {"apiVersion": PRIORITIES.api_version, "kind": "PriorityClass"}
        self.api.create(PRIORITIES, "", {**about, "metadata": {"name": name}, "value": value})

    def add_storage_class(self, name: str, *, is_default: bool = False) -> None:
        marks = {DEFAULT_CLASS: "true"} if is_default else {}
        thing = {"apiVersion": STORAGE_CLASSES.api_version, "kind": "StorageClass"}
        about = {"name": name, "annotations": marks}
        wanted = {**thing, "metadata": about, "provisioner": "example.org/fake"}
        self.api.create(STORAGE_CLASSES, "", wanted)

    def add_node(
        self,
        name: str,
        *,
        cpu: str = "64",
        memory: str = "256Gi",
        gpus: int = 0,
        pods: str = "110",
        labels: dict[str, str] | None = None,
        taints: list[Object] | None = None,
    ) -> None:
        room = {"cpu": cpu, "memory": memory, "pods": pods}
        room |= {"nvidia.com/gpu": str(gpus)} if gpus else {}
        ready = statuses.condition({}, "Ready", True, "KubeletReady")
        thing: Object = {
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name} | (labels or {})},
            "spec": {"taints": taints or []},
            "status": {"allocatable": room, "capacity": room, "images": [], **ready},
        }
        self.store.create(NODES, "", thing)

    def plan(self, name: str = "*", **course: Any) -> None:
        """What becomes of pods whose name fits the pattern: the fields of `Plan`."""
        self.kubelet.plans.add(name, Plan(**course))

    def fault(self, kind: str, **where: Any) -> None:
        """The next request that fits goes wrong: the fields of `Fault`."""
        self.faults.add(Fault(kind, **where))

    def clear_faults(self) -> None:
        self.faults.clear()

    def compact(self) -> None:
        """Forget all earlier versions: watches and lists that go on from them get 410."""
        self.store.compact()

    def crash(
        self, namespace: str, name: str, code: int = 1, reason: str = "Error", log: str = ""
    ) -> None:
        self.kubelet.finish(self.store.get(PODS, namespace, name), code, reason, log)

    def evict(self, namespace: str, name: str, message: str = "low on resource: memory") -> None:
        self.kubelet.evict(self.store.get(PODS, namespace, name), message)

    def set_times(self, **seconds: float) -> None:
        """`bookmark`, `account` (of a new namespace), `namespace_end`, `quota_lag`."""
        self.bookmark_seconds = seconds.get("bookmark", self.bookmark_seconds)
        self.controllers.account_seconds = seconds.get("account", self.controllers.account_seconds)
        self.controllers.end_seconds = seconds.get("namespace_end", self.controllers.end_seconds)
        self.api.quotas.lag_seconds = seconds.get("quota_lag", self.api.quotas.lag_seconds)

    def recalculate_quotas(self) -> None:
        self.api.quotas.recalculate()

    def recorded(self) -> list[tuple[str, str, str, str]]:
        """What the portal did: verb, group, resource, namespace; each once."""
        return sorted({(c.verb, c.group, c.resource, c.namespace) for c in self.calls})

    def pod(self, namespace: str, name: str) -> Object | None:
        return self.store.find(PODS, namespace, name)

    def pods(self, namespace: str | None = None) -> list[Object]:
        return self.store.all(PODS, namespace)

    def wait_for(self, seen: Callable[[], Any], seconds: float = 5) -> Any:
        """What `seen` gives, once it is true. Fails after so many seconds."""
        ends = time.monotonic() + seconds
        while not (found := seen()):
            assert time.monotonic() < ends, f"not within {seconds} s; {self.timeline.failures}"
            with self.store.lock:
                self.store.lock.wait(0.05)
        return found

    def check(self, token: str, call: rbac.Call) -> None:
        """Raises 401 and 403."""
        if token == ADMIN:
            return
        if token != PORTAL:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        self.calls.append(call)
        if self._rules is not None:
            rbac.check(self._rules, f"system:serviceaccount:{ACCOUNT}", call)

    def review(self, token: str, wish: Object) -> Object:
        """Whether who asks may do it. Raises 401."""
        if token not in (ADMIN, PORTAL):
            raise ApiError(401, "Unauthorized", "Unauthorized")
        asked = wish["spec"]["resourceAttributes"]
        verb, group, plural, subresource, namespace = (
            asked.get(field, "")
            for field in ("verb", "group", "resource", "subresource", "namespace")
        )
        call = rbac.call(verb, Resource(group, "", plural), subresource, namespace)
        rules = None if token == ADMIN else self._rules
        allowed = rules is None or any(rule.allows(call) for rule in rules)
        return {**wish, "status": {"allowed": allowed}}

    def control(self, name: str, arguments: dict[str, Any]) -> Any:
        if name not in CONTROLS:
            raise ApiError(404, "NotFound", f"the cluster cannot {name}; it can {CONTROLS}")
        return getattr(self, name)(**arguments)
