"""What the portal relies on of the Dask operator. A real cluster needs the operator installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest

from sessions.kubernetes import names
from sessions.kubernetes.client import NotFound
from sessions.kubernetes.manifests.dask import (
    COMPONENT_LABEL,
    DaskSpec,
    dask_autoscaler,
    dask_cluster,
)
from sessions.kubernetes.names import Manifest
from tests.kubernetes.contract.conftest import Arena
from tests.kubernetes.specs import SESSION, bobs_dask, bobs_server


@dataclass
class Made:
    """A cluster of two workers, and its part of the arena."""

    arena: Arena
    spec: DaskSpec
    manifest: Manifest

    @property
    def name(self) -> str:
        return self.spec.name

    def pods(self, *more: str) -> list[dict[str, Any]]:
        wanted = [names.DASKS, f"{names.CLUSTER}={self.spec.key}", *more]
        listed = self.arena.client.list("Pod", self.arena.namespace, selector=",".join(wanted))
        return [pod for pod in listed if "deletionTimestamp" not in pod["metadata"]]

    def workers(self) -> list[dict[str, Any]]:
        return self.pods(f"{COMPONENT_LABEL}=worker")

    def wait_for_workers(self, count: int) -> None:
        self.arena.wait_for(lambda: len(self.workers()) == count)

    def delete(self) -> bool:
        uid = str(self.manifest["metadata"]["uid"])
        return self.arena.client.delete("DaskCluster", self.name, self.arena.namespace, uid=uid)


@pytest.fixture
def made(arena: Arena) -> Iterator[Made]:
    try:
        list(arena.client.list("DaskCluster", arena.namespace))
    except NotFound:
        pytest.skip("the Dask operator is not installed in this cluster")
    key = uuid4()
    notebook = bobs_server(namespace=arena.namespace)
    spec = bobs_dask(key=key, name=names.dask_name(SESSION, key), notebook=notebook)
    manifest = dask_cluster(spec, arena.cluster)
    found = arena.client.ensure(manifest, owner=names.identity(manifest))
    made = Made(arena, spec, found)
    made.wait_for_workers(2)
    yield made
    made.delete()


def test_labels_of_a_cluster_are_on_its_pods(made: Made) -> None:
    wanted = made.manifest["metadata"]["labels"]
    for pod in made.workers():
        assert wanted.items() <= pod["metadata"]["labels"].items()


def test_scaled_to_five_and_to_one(arena: Arena, made: Made) -> None:
    for replicas in (5, 1):
        body = {"spec": {"replicas": replicas}}
        arena.client.patch("DaskCluster", made.name, arena.namespace, body, subresource="scale")
        made.wait_for_workers(replicas)
    found = arena.client.get("DaskCluster", made.name, arena.namespace)
    assert found is not None
    assert found["spec"]["worker"]["replicas"] == 1


def test_an_autoscaler_keeps_at_least_its_minimum(arena: Arena, made: Made) -> None:
    autoscaler = dask_autoscaler(replace(made.spec, minimum=3, maximum=4), arena.cluster)
    assert autoscaler is not None
    arena.client.ensure(autoscaler, owner=names.identity(autoscaler))
    arena.wait_for(lambda: len(made.workers()) >= 3)
    assert arena.client.delete("DaskAutoscaler", made.name, arena.namespace)


def test_a_deleted_cluster_takes_its_pods_with_it(arena: Arena, made: Made) -> None:
    assert made.delete()
    arena.wait_for(lambda: arena.client.get("DaskCluster", made.name, arena.namespace) is None)
    arena.wait_for(lambda: not made.pods())
