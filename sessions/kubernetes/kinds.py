"""Where the API keeps the kinds of objects that the portal knows."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of objects: its API version, its plural, and whether it lives in namespaces."""

    name: str
    api_version: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group, empty for the core."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The address below the server's; without a namespace of all namespaces."""
        root = "/api" if self.api_version == "v1" else "/apis"
        place = ["namespaces", namespace] if self.namespaced and namespace else []
        parts = [self.api_version, *place, self.plural, name, subresource]
        return "/".join([root, *(quote(part, safe="/") for part in parts if part)])


KINDS = {
    kind.name: kind
    for kind in (
        Kind("Event", "v1", "events"),
        Kind("Lease", "coordination.k8s.io/v1", "leases"),
        Kind("Namespace", "v1", "namespaces", namespaced=False),
        Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
        Kind("Node", "v1", "nodes", namespaced=False),
        Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims"),
        Kind("Pod", "v1", "pods"),
        Kind("PriorityClass", "scheduling.k8s.io/v1", "priorityclasses", namespaced=False),
        Kind("ResourceQuota", "v1", "resourcequotas"),
        Kind("Secret", "v1", "secrets"),
        Kind(
            "SelfSubjectAccessReview", "authorization.k8s.io/v1", "selfsubjectaccessreviews",
            namespaced=False,
        ),
        Kind("Service", "v1", "services"),
        Kind("ServiceAccount", "v1", "serviceaccounts"),
        Kind("StorageClass", "storage.k8s.io/v1", "storageclasses", namespaced=False),
        Kind("Job", "batch/v1", "jobs"),
        Kind("DaskCluster", "kubernetes.dask.org/v1", "daskclusters"),
        Kind("DaskAutoscaler", "kubernetes.dask.org/v1", "daskautoscalers"),
        Kind("DaskWorkerGroup", "kubernetes.dask.org/v1", "daskworkergroups"),
    )
}  # fmt: skip
