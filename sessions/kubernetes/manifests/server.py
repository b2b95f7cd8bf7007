"""All objects of one server, in the order in which they are created."""

from __future__ import annotations

from sessions.kubernetes import names
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.home import home_manifests
from sessions.kubernetes.manifests.namespace import namespace_manifests
from sessions.kubernetes.manifests.pod import pod
from sessions.kubernetes.manifests.spec import HomeMount, Placement, ServerSpec
from sessions.kubernetes.names import Manifest

__all__ = ["SERVER_KINDS", "HomeMount", "Placement", "ServerSpec", "server_manifests"]

# What one server has to itself, in the order in which it is taken away.
SERVER_KINDS = ("Pod", "Service", "Secret")


def server_manifests(spec: ServerSpec, cluster: Cluster) -> list[Manifest]:
    """The objects of a server: those of its namespace and its home, and its own.

    Each is ensured with `names.identity` of it as the owner.
    """
    return [
        *namespace_manifests(spec, cluster),
        *home_manifests(spec, cluster),
        secret(spec),
        service(spec),
        pod(spec, cluster),
    ]


def secret(spec: ServerSpec) -> Manifest:
    """The part of the environment that is nobody else's business."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": spec.metadata(),
        "type": "Opaque",
        "immutable": True,
        "stringData": dict(spec.secret_environment),
    }


def service(spec: ServerSpec) -> Manifest:
    """A name under which the hub's proxy reaches the pod."""
    metadata = spec.metadata()
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "ClusterIP",
            "selector": {names.POD_LABEL: spec.name},
            "ports": [{"name": names.PORT, "port": spec.port, "targetPort": names.PORT}],
        },
    }
