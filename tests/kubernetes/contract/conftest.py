"""The same tests for the fake cluster and, with --kubeconfig, for a real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.namespace import RESTRICTED
from sessions.kubernetes.names import Manifest
from tests.kubernetes.fake import FakeCluster
from tests.kubernetes.fake.cluster import ADMIN
from tests.kubernetes.specs import ONE

PATIENCE = 60.0


@dataclass
class Arena:
    """A namespace of its own in a cluster, and the administrator's client."""

    client: Client
    cluster: Cluster
    forget_versions: Callable[[], None]

    @property
    def namespace(self) -> str:
        return self.cluster.namespace

    def secret(self, name: str, **labels: str) -> Manifest:
        """A small object that no controller touches."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
            "stringData": {"word": name},
        }

    def wait_for(self, seen: Callable[[], Any]) -> Any:
        ends = time.monotonic() + PATIENCE
        while not (found := seen()):
            assert time.monotonic() < ends, "not in time"
            time.sleep(0.05)
        return found


@pytest.fixture(scope="module")
def arena(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Arena]:
    real = request.config.getoption("--kubeconfig")
    folder = tmp_path_factory.mktemp("cluster")
    with _real(real) if real else _fake(folder) as (kubeconfig, forget_versions):
        name = f"lsp-contract-{uuid4().hex[:8]}"
        cluster = replace(ONE, kubeconfig=kubeconfig, namespace=name)
        arena = Arena(Client.of(cluster), cluster, forget_versions)
        about = {"name": name, "labels": dict(RESTRICTED)}
        arena.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": about})
        # A pod's account is made a moment later.
        arena.wait_for(lambda: arena.client.get("ServiceAccount", "default", name))
        yield arena
        arena.client.delete("Namespace", name)


@contextmanager
def _fake(folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    with FakeCluster() as fake:
        fake.set_times(account=0.1, namespace_end=0.5, bookmark=0.3)
        yield fake.kubeconfig(folder / "kubeconfig", token=ADMIN), fake.compact


@contextmanager
def _real(kubeconfig: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """A real cluster has long forgotten its first versions."""
    yield kubeconfig, lambda: None
