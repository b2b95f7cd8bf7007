"""What holds for all servers of a namespace: who may talk to whom, and how much they may take."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from sessions.kubernetes import names
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.spec import ServerSpec
from sessions.kubernetes.names import Manifest

NAMESPACE, LIMITS, NETWORK = "namespace", "limits", "network"
QUOTA_NAME = "lsp-limits"
POLICY_NAME = "lsp-notebooks"
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
RESTRICTED = {
    f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
}
DNS = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "kube-system"}},
       "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}  # fmt: skip
# Everything that is not public: RFC 1918, RFC 6598, loopback, and links, where clouds keep secrets.
PRIVATE = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
]
PRIVATE_6 = ["::1/128", "fc00::/7", "fe80::/10"]


def namespace_manifests(server: ServerSpec, cluster: Cluster) -> list[Manifest]:
    """What must be there before a server of the person: the one namespace itself exists."""
    if not cluster.is_per_user:
        return [network_policy(server, cluster)]
    limits = [resource_quota(server, cluster)] if cluster.user_quota else []
    return [namespace(server, cluster), *limits, network_policy(server, cluster)]


def namespace(server: ServerSpec, cluster: Cluster) -> Manifest:
    """A person's namespace, in which the cluster refuses pods that are not restricted."""
    metadata = _metadata(server.namespace, NAMESPACE, server, cluster)
    metadata["labels"] |= RESTRICTED
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def resource_quota(server: ServerSpec, cluster: Cluster) -> Manifest:
    """What all servers of a person may take from the cluster, whatever the portal thinks."""
    spec = {"hard": dict(cluster.user_quota)}
    return _following("v1", "ResourceQuota", _inside(QUOTA_NAME, LIMITS, server, cluster), spec)


def network_policy(server: ServerSpec, cluster: Cluster) -> Manifest:
    """Servers are reached by the hub and its proxy only, and reach names, the hub and the public.

    Nothing private is reached but what the settings add: no other server, no control plane.
    """
    hub = {
        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: cluster.hub_namespace}},
        "podSelector": {"matchLabels": dict(cluster.hub_labels)},
    }
    spec = {
        "podSelector": {"matchLabels": {names.COMPONENT_LABEL: names.NOTEBOOK}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [hub], "ports": [port(names.PORT)]}],
        "egress": [
            {"to": [DNS], "ports": [port(53, "UDP"), port(53)]},
            {"to": [hub], "ports": [port(cluster.hub_port)]},
            {"to": public(cluster)},
        ],
    }
    metadata = _inside(POLICY_NAME, NETWORK, server, cluster)
    return _following("networking.k8s.io/v1", "NetworkPolicy", metadata, spec)


def port(port: int | str, protocol: str = "TCP") -> Manifest:
    return {"port": port, "protocol": protocol}


def public(cluster: Cluster) -> list[Manifest]:
    return [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE}},
        {"ipBlock": {"cidr": "::/0", "except": PRIVATE_6}},
        *({"ipBlock": {"cidr": block}} for block in cluster.egress),
    ]


def _inside(name: str, component: str, server: ServerSpec, cluster: Cluster) -> Manifest:
    return _metadata(name, component, server, cluster) | {"namespace": server.namespace}


def _metadata(name: str, component: str, server: ServerSpec, cluster: Cluster) -> Manifest:
    """The person is named only where the namespace is theirs."""
    if not cluster.is_per_user:
        return {"name": name, "labels": names.labels(component), "annotations": {}}
    return {
        "name": name,
        "labels": names.labels(component, server.user),
        "annotations": server.owner,
    }


def _following(api_version: str, kind: str, metadata: Manifest, spec: Any) -> Manifest:
    """An object that follows the settings: the digest tells when its spec is out of date."""
    digest = sha256(orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    metadata["annotations"][names.CONTENT] = digest
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
