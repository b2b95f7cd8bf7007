"""Which resources there are, and the errors of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of objects as addresses name it; `group` is empty for the core."""

    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.headers = dict(headers or {})
        self.details = dict(details or {})

    def content(self) -> Object:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "code": self.status,
            **({"details": self.details} if self.details else {}),
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the log from which watches read. `before` is what the object was."""

    version: int
    kind: str
    resource: Resource
    object: Object
    before: Object | None = field(default=None)


def core(plural: str) -> Resource:
    return Resource("", "v1", plural)


PODS, NODES, NAMESPACES = core("pods"), core("nodes"), core("namespaces")
SECRETS, SERVICES, EVENTS = core("secrets"), core("services"), core("events")
CLAIMS = core("persistentvolumeclaims")
STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses")
PRIORITIES = Resource("scheduling.k8s.io", "v1", "priorityclasses")
REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
ACCOUNTS = core("serviceaccounts")
QUOTAS = core("resourcequotas")
# The built-in ones, with their kind and whether they live in namespaces. Any other group of a
# domain is taken for a custom resource.
BUILT_IN: dict[Resource, tuple[str, bool]] = {
    PODS: ("Pod", True),
    NODES: ("Node", False),
    NAMESPACES: ("Namespace", False),
    SECRETS: ("Secret", True),
    SERVICES: ("Service", True),
    EVENTS: ("Event", True),
    CLAIMS: ("PersistentVolumeClaim", True),
    ACCOUNTS: ("ServiceAccount", True),
    QUOTAS: ("ResourceQuota", True),
    core("configmaps"): ("ConfigMap", True),
    core("persistentvolumes"): ("PersistentVolume", False),
    Resource("apps", "v1", "deployments"): ("Deployment", True),
    Resource("batch", "v1", "jobs"): ("Job", True),
    Resource("coordination.k8s.io", "v1", "leases"): ("Lease", True),
    Resource("networking.k8s.io", "v1", "networkpolicies"): ("NetworkPolicy", True),
    PRIORITIES: ("PriorityClass", False),
    REVIEWS: ("SelfSubjectAccessReview", False),
    STORAGE_CLASSES: ("StorageClass", False),
}
CUSTOM = {
    "daskclusters": "DaskCluster",
    "daskautoscalers": "DaskAutoscaler",
    "daskworkergroups": "DaskWorkerGroup",
    "daskjobs": "DaskJob",
}
# Where /scale finds the number of replicas.
REPLICAS = {
    "daskclusters": ("spec", "worker", "replicas"),
    "daskworkergroups": ("spec", "worker", "replicas"),
    "deployments": ("spec", "replicas"),
}


def kind_of(resource: Resource) -> str:
    if resource in BUILT_IN:
        return BUILT_IN[resource][0]
    return CUSTOM.get(resource.plural, resource.plural[:-1].capitalize())


def is_known(resource: Resource) -> bool:
    return resource in BUILT_IN or ("." in resource.group and "k8s.io" not in resource.group)


def stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def not_found(resource: Resource, name: str) -> ApiError:
    where = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
    return ApiError(404, "NotFound", f'{where} "{name}" not found')


def invalid(kind: str, name: str, message: str) -> ApiError:
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {message}')


def forbidden(resource: Resource, name: str, message: str) -> ApiError:
    return ApiError(403, "Forbidden", f'{resource.plural} "{name}" is forbidden: {message}')
