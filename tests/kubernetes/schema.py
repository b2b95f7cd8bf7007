"""The schema of Kubernetes, strictly: no field that it does not know, no value of another type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubernetes import client
from pydantic import BaseModel

MODELS: dict[str, type[BaseModel]] = {
    "ClusterRole": client.V1ClusterRole,
    "ClusterRoleBinding": client.V1ClusterRoleBinding,
    "CronJob": client.V1CronJob,
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
