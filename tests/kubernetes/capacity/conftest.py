"""A cluster in which the portal may look at all nodes and pods."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.kubernetes.conftest import ROLES
from tests.kubernetes.fake import FakeCluster


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeCluster]:
    roles = tmp_path / "roles.yaml"
    files = (ROLES, ROLES.with_name("capacity.yaml"))
    roles.write_text("\n---\n".join(file.read_text() for file in files))
    with FakeCluster(roles=roles, node=False) as cluster:
        yield cluster


@pytest.fixture
def looks(db: None, kubeconfig: str, settings: Settings) -> Settings:
    """The portal looks at that cluster."""
    settings.KUBECONFIG = kubeconfig
    settings.KUBERNETES_CAPACITY = True
    settings.KUBERNETES_NAMESPACE = "lsp"
    return settings
