"""The claim of a person's home."""

from __future__ import annotations

from sessions.kubernetes import names
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.spec import ServerSpec
from sessions.kubernetes.names import Manifest

HOME = "home"


def home_manifests(spec: ServerSpec, cluster: Cluster) -> list[Manifest]:
    """The claim of the person's home; nothing for a directory of a shared claim."""
    return [] if spec.home.sub_path else [_claim(spec, cluster)]


def _claim(spec: ServerSpec, cluster: Cluster) -> Manifest:
    wanted: Manifest = {
        "accessModes": [cluster.home_access],
        "resources": {"requests": {"storage": str(spec.home.size)}},
    }
    if cluster.storage_class:
        wanted["storageClassName"] = cluster.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": spec.home.claim,
            "namespace": spec.namespace,
            "labels": names.labels(HOME, spec.user),
            "annotations": spec.owner,
        },
        "spec": wanted,
    }
