"""Servers and clusters as the tests want them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from quotas.vocabulary import Resources
from sessions.kubernetes import names
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.dask import DaskSpec
from sessions.kubernetes.manifests.server import HomeMount, Placement, ServerSpec

SESSION = UUID("0b1f8a52-5c1f-4e0c-9d0e-2f6f5a7c1d3e")
ONE = Cluster(namespace="lsp", hub_namespace="hub")
PER_USER = Cluster(
    namespace="lsp",
    namespaces="per_user",
    user_quota={"pods": "10", "limits.cpu": "16", "limits.memory": "64Gi"},
    egress=("10.20.0.0/16",),
    storage_class="nfs",
    pull_secrets=("registry", "mirror.example.org"),
)
SHARED = Cluster(namespace="lsp", homes="directory", shared_claim="homes")
SHARED_HOME = HomeMount("/home/bob", "homes", sub_path="bob")
WITH_NOTEBOOKS = replace(
    SHARED,
    notebooks_repository="https://git.example.org/notebooks.git",
    notebooks_ref="prod",
    notebooks_directory="tutorials/$(NAME)",
)


def bobs_server(**changed: Any) -> ServerSpec:
    """Bob's server for transients on the hub `lsp`."""
    spec = ServerSpec(
        session=SESSION,
        number=42,
        hub="lsp",
        namespace="lsp",
        user="bob",
        server="",
        group="transients",
        image="registry.example.org/lsst/sciplat@sha256:" + "ab" * 32,
        command=("jupyterhub-singleuser", "--ServerApp.terminals_enabled=$(nobody)"),
        port=8888,
        resources=Resources(2000, 4096),
        uid=200_002,
        gids=(600_001, 600_002),
        environment={
            "GIT_AUTHOR_NAME": "Bob $(HOSTNAME) O'Member",
            "GIT_AUTHOR_EMAIL": "bob@example.org",
            "LSP_GROUP": "transients",
        },
        secret_environment={"JUPYTERHUB_API_TOKEN": "a-token", "LSP_TOKEN": "another"},
        home=HomeMount("/home/bob", "home-bob-200002", size=10_000_000_000),
    )
    return replace(spec, **changed)


GPU = {
    "server": "Training réseau",
    "resources": Resources(8000, 65_536, 2),
    "placement": Placement(
        node_selector={"accelerator": "a100"},
        tolerations=(
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        ),
        priority_class="lsp-user",
    ),
}  # fmt: skip


def bobs_dask(**changed: Any) -> DaskSpec:
    """Two workers for Bob's server."""
    spec = DaskSpec(
        key=UUID("5d1c3c52-7c8f-4d19-9d3a-6a3f7f0f8a01"),
        name=names.dask_name(SESSION, UUID("5d1c3c52-7c8f-4d19-9d3a-6a3f7f0f8a01")),
        notebook=bobs_server(),
        workers=2,
        resources=Resources(1000, 8192),
        idle_seconds=3600,
    )
    return replace(spec, **changed)
