"""What objects in the cluster are called, and how they are told apart.

Labels carry slugs and select; annotations carry what is really meant and identify.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

from sessions.kubernetes.configuration import Cluster

Manifest = dict[str, Any]

SLUG = 48  # characters at most
HASH = 8
LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")

MANAGER = "lsp-portal"
NOTEBOOK = "notebook"
PLACEHOLDER = "placeholder"  # keeps room on a node
PORT = "notebook"  # the name of the port that servers listen on
NAME_LABEL = "app.kubernetes.io/name"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGER_LABEL = "app.kubernetes.io/managed-by"
USER_LABEL = "hub.jupyter.org/username"
SERVER_LABEL = "hub.jupyter.org/servername"
POD_LABEL = "lsp.portal/pod"  # the pod's own name, for its service

SESSION = "lsp.portal/session"
NUMBER = "lsp.portal/number"
USER = "lsp.portal/user"
UID = "lsp.portal/uid"  # whose it is for good: names change, numbers are given once
SERVER = "lsp.portal/server"
GROUP = "lsp.portal/group"
HUB = "lsp.portal/hub"
CONTENT = "lsp.portal/content"  # a digest of the spec of objects that follow the settings

MANAGED = f"{MANAGER_LABEL}={MANAGER}"  # selects all that the portal made
CLUSTER = "lsp.portal/cluster"  # of everything of a Dask cluster, as a label too
DASK = "dask"
DASKS = f"{MANAGED},{COMPONENT_LABEL}={DASK}"
NOTEBOOKS = f"{MANAGED},{COMPONENT_LABEL}={NOTEBOOK}"


def slug(text: str, longest: int = SLUG) -> str:
    """A DNS label for the text; two texts have two slugs.

    A valid label without `--` stays; anything else is stripped and gets a hash (kubespawner 7).
    """
    if LABEL.fullmatch(text) and "--" not in text and len(text) <= longest:
        return text
    return f"{_stripped(text, longest - HASH - 3)}---{_hash(text)}"


def _stripped(text: str, longest: int) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not plain[:1].isalpha():
        plain = f"x-{plain}"
    return plain[:longest].strip("-")


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:HASH]


def server_name(user: str, server: str, session: UUID) -> str:
    """The name of a server's pod, service and secret: at most 63 characters."""
    parts = [slug(user, 24), *([slug(server, 20)] if server else [])]
    return f"lsp-{'-'.join(parts)}-{session.hex[:HASH]}"


def dask_name(session: UUID, cluster: UUID) -> str:
    """The name of a Dask cluster, with room for what the operator puts behind it (53 at most)."""
    return f"lsp-dask-{session.hex[:HASH]}-{cluster.hex[:HASH]}"


def home_claim(user: str, uid: int) -> str:
    """The name for a new home of the person. It is stored then, not computed again."""
    return f"home-{slug(user)}-{uid}"


def namespace(cluster: Cluster, user: str) -> str:
    """Where a new home of the person is, and so their servers. It is stored with the home."""
    if not cluster.is_per_user:
        return cluster.namespace
    return f"{cluster.namespace}-{slug(user, 40)}"


def server_url(name: str, in_namespace: str, port: int) -> str:
    """Where the hub's proxy reaches a server."""
    return f"http://{name}.{in_namespace}.svc:{port}"


def labels(component: str, user: str = "", server: str | None = None) -> dict[str, str]:
    """The labels of an object; those about a person only where it is one person's."""
    known = {NAME_LABEL: MANAGER, COMPONENT_LABEL: component, MANAGER_LABEL: MANAGER}
    if user:
        known[USER_LABEL] = slug(user)
    if server is not None:
        known[SERVER_LABEL] = slug(server) if server else ""
    return known


def identity(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The annotations that an existing object must share to be the one that is meant.

    The session where it is one session's, else the person where it is one person's, else none.
    """
    known = manifest["metadata"].get("annotations", {})
    for name in (SESSION, UID):
        if name in known:
            return {name: known[name]}
    return {}
