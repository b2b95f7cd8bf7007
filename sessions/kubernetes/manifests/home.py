"""Homes: a claim of the person's own, or a directory of a shared one."""

from __future__ import annotations

from sessions.kubernetes import names
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.spec import HomeMount, ServerSpec
from sessions.kubernetes.names import Manifest

HOME = "home"


def new_home(user: str, *, path: str, size: int, cluster: Cluster) -> HomeMount:
    """The home that a person without one gets; `size` in bytes. What it says is to be stored."""
    if cluster.homes == "directory":
        return HomeMount(path, cluster.shared_claim, sub_path=names.slug(user))
    return HomeMount(path, names.home_claim(user), size=size)


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
            "namespace": names.namespace(cluster, spec.user),
            "labels": names.labels(HOME, spec.user),
            "annotations": {names.USER: spec.user},
        },
        "spec": wanted,
    }
