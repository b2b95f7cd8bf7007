"""The schema of Kubernetes, strictly: no field that it does not know, no value of another type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubernetes import client
from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Of the Dask operator's own kinds the client knows nothing; fields as its definitions say."""

    model_config = ConfigDict(extra="forbid", strict=True)


class DaskWorkers(Strict):
    replicas: int
    spec: client.V1PodSpec


class DaskScheduler(Strict):
    spec: client.V1PodSpec
    service: client.V1ServiceSpec


class DaskClusterSpec(Strict):
    idleTimeout: int = 0  # noqa: N815 - its name
    worker: DaskWorkers
    scheduler: DaskScheduler


class DaskAutoscalerSpec(Strict):
    cluster: str
    minimum: int
    maximum: int


class DaskObject(Strict):
    apiVersion: str  # noqa: N815 - its name
    kind: str
    metadata: client.V1ObjectMeta
    status: dict[str, Any] | None = None


class DaskCluster(DaskObject):
    spec: DaskClusterSpec


class DaskAutoscaler(DaskObject):
    spec: DaskAutoscalerSpec


MODELS: dict[str, type[BaseModel]] = {
    "ClusterRole": client.V1ClusterRole,
    "ClusterRoleBinding": client.V1ClusterRoleBinding,
    "CronJob": client.V1CronJob,
    "DaskAutoscaler": DaskAutoscaler,
    "DaskCluster": DaskCluster,
    "Deployment": client.V1Deployment,
    "Namespace": client.V1Namespace,
    "NetworkPolicy": client.V1NetworkPolicy,
    "PersistentVolumeClaim": client.V1PersistentVolumeClaim,
    "Pod": client.V1Pod,
    "PriorityClass": client.V1PriorityClass,
    "ResourceQuota": client.V1ResourceQuota,
    "Role": client.V1Role,
    "RoleBinding": client.V1RoleBinding,
    "Secret": client.V1Secret,
    "Service": client.V1Service,
    "ServiceAccount": client.V1ServiceAccount,
}


def check(manifest: Mapping[str, Any]) -> None:
    """Raises pydantic's ValidationError."""
    MODELS[manifest["kind"]].model_validate(manifest)
