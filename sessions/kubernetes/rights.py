"""What the portal may do in the cluster: the rights of `deploy/kubernetes/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.conf import settings

from sessions.kubernetes.configuration import Cluster

PODS = ("get", "list", "watch", "create", "delete")
SERVERS = {
    "Pod": PODS,
    "Service": ("get", "create", "delete"),
    "Secret": ("get", "create", "delete"),
    "PersistentVolumeClaim": ("get", "create"),
    "Event": ("list", "watch"),
    "NetworkPolicy": ("get", "create", "patch", "delete"),
}
DASK = {
    "DaskCluster": ("get", "list", "create", "delete"),
    "DaskCluster/scale": ("patch",),
    "DaskAutoscaler": ("get", "create", "patch", "delete"),
}
PEOPLE = {"Namespace": ("get", "create"), "ResourceQuota": ("get", "create", "patch")}
NODES = {"Node": ("get", "list")}


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one kind in one namespace; None: in all, or where there is none."""

    verb: str
    kind: str  # with its subresource, if any, behind a slash
    namespace: str | None
    file: str  # of deploy/kubernetes, which grants it

    @property
    def place(self) -> str:
        return f"in the namespace {self.namespace}" if self.namespace else "in the whole cluster"


def needed(here: Cluster) -> list[Right]:
    """Every right that the portal uses with these settings."""
    servers = SERVERS | (DASK if settings.KUBERNETES_DASK else {})
    if here.is_per_user:
        found = [*_rights(servers | PEOPLE, None, "rbac-per-user.yaml")]
    else:
        found = [*_rights(servers, here.namespace, "rbac.yaml")]
    if place := settings.KUBERNETES_PREPULL_NAMESPACE:
        found += _rights(NODES, None, "prepulling.yaml")
        found += _rights({"Pod": ("list", "create", "delete")}, place, "prepulling.yaml")
    if settings.KUBERNETES_CAPACITY:
        found += _rights({"Node": ("list",), "Pod": ("list",)}, None, "capacity.yaml")
    for observed in settings.KUBERNETES_OBSERVED_NAMESPACES:
        found += _rights({"Pod": ("get", "list", "watch")}, observed, "rbac-observe.yaml")
    return found


def _rights(
    kinds: Mapping[str, tuple[str, ...]], namespace: str | None, file: str
) -> Iterator[Right]:
    for kind, verbs in kinds.items():
        yield from (Right(verb, kind, namespace, file) for verb in verbs)
