"""A cluster for the tests, and the portal's client of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import Cluster
from tests.kubernetes.fake import FakeCluster
from tests.kubernetes.specs import ONE

ROLES = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "rbac.yaml"


@pytest.fixture
def fake() -> Iterator[FakeCluster]:
    """A cluster of one node, in which the portal may do what its roles allow."""
    with FakeCluster(roles=ROLES) as cluster:
        yield cluster


@pytest.fixture
def kubeconfig(fake: FakeCluster, tmp_path: Path) -> str:
    return fake.kubeconfig(tmp_path / "kubeconfig")


@pytest.fixture
def one(kubeconfig: str) -> Cluster:
    """The cluster as the portal sees it, with one namespace."""
    return replace(ONE, kubeconfig=kubeconfig)


@pytest.fixture
def client(one: Cluster) -> Client:
    return Client.of(one)
