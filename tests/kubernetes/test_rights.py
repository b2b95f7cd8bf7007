"""What the portal may do in the cluster is what it does, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pytest_django import Settings

from lsp_portal.lib import clock
from sessions.kubernetes import names
from sessions.kubernetes.capacity.looking import look
from sessions.kubernetes.client import Client, Refused
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.dask import dask_autoscaler, dask_cluster, dask_policies
from sessions.kubernetes.manifests.server import SERVER_KINDS, ServerSpec, server_manifests
from sessions.kubernetes.watching.listing import take_list
from sessions.kubernetes.watching.memory import Memory
from sessions.kubernetes.watching.sources import SPAWNED, Source
from tests.kubernetes import schema
from tests.kubernetes.conftest import ROLES
from tests.kubernetes.fake import FakeCluster
from tests.kubernetes.fake.rbac import Call, rules
from tests.kubernetes.specs import ONE, PER_USER, bobs_dask, bobs_server

OBSERVED = Source("Pod", "jupyterhub", SPAWNED)
PER_USER_ROLES = ROLES.with_name("rbac-per-user.yaml")


def lived(client: Client, cluster: Cluster) -> None:
    """Everything that is asked of the cluster in the life of a server."""
    place = names.namespace(cluster, "bob")
    spec = bobs_server(namespace=place)
    for manifest in [*server_manifests(spec, cluster), *_of_other_settings(spec, cluster)]:
        client.ensure(manifest, owner=names.identity(manifest))
    listing = client.list("Pod", None if cluster.is_per_user else place, selector=names.NOTEBOOKS)
    for kind in ("Pod", "Event"):
        version = listing.resource_version
        list(client.watch(kind, place, resource_version=version, timeout_seconds=0))
    list(client.list("Event", place))
    for kind in SERVER_KINDS:
        client.delete(kind, spec.name, place)
    worked(client, cluster)


def worked(client: Client, cluster: Cluster) -> None:
    """Everything that is asked of the cluster for the Dask cluster of a server."""
    place = names.namespace(cluster, "bob")
    spec = bobs_dask(notebook=bobs_server(namespace=place), minimum=1, maximum=2)
    autoscaler = dask_autoscaler(spec, cluster)
    assert autoscaler is not None
    changed = dask_autoscaler(replace(spec, maximum=3), cluster)
    for manifest in [
        *dask_policies(spec, cluster),
        dask_cluster(spec, cluster),
        autoscaler,
        changed,
    ]:
        assert manifest is not None
        client.ensure(manifest, owner=names.identity(manifest))
    list(client.list("DaskCluster", None if cluster.is_per_user else place, selector=names.DASKS))
    replicas = {"spec": {"replicas": 1}}
    client.patch("DaskCluster", spec.name, place, replicas, subresource="scale")
    for kind in ("DaskAutoscaler", "DaskCluster", "NetworkPolicy"):
        client.delete(kind, spec.name, place)


def _of_other_settings(spec: ServerSpec, cluster: Cluster) -> list[names.Manifest]:
    changed = replace(cluster, hub_port=9999, user_quota=cluster.user_quota and {"pods": "9"})
    kinds = ("NetworkPolicy", "ResourceQuota")
    return [m for m in server_manifests(spec, changed) if m["kind"] in kinds]


@pytest.mark.parametrize(("roles", "cluster"), [(ROLES, ONE), (PER_USER_ROLES, PER_USER)])
def test_the_roles_allow_all_that_is_done_and_nothing_that_is_not(
    roles: Path, cluster: Cluster, tmp_path: Path
) -> None:
    with FakeCluster(roles=roles) as fake:
        kubeconfig = fake.kubeconfig(tmp_path / "kubeconfig")
        lived(Client.of(replace(cluster, kubeconfig=kubeconfig)), cluster)
        done = [Call(*call) for call in fake.recorded()]
    unused = [rule for rule in rules(roles, "lsp-portal") if not any(map(rule.allows, done))]
    assert unused == []


def test_to_observe_it_looks_at_pods_and_no_more(db: None, tmp_path: Path) -> None:
    roles = ROLES.with_name("rbac-observe.yaml")
    with FakeCluster(roles=roles) as fake:
        fake.add_namespace("jupyterhub")
        client = Client.of(replace(ONE, kubeconfig=fake.kubeconfig(tmp_path / "kubeconfig")))
        listed = take_list(client, OBSERVED, Memory(), at=clock.now())
        list(client.watch("Pod", "jupyterhub", resource_version=listed, timeout_seconds=0))
        client.get("Pod", "any", "jupyterhub")
        done = [Call(*call) for call in fake.recorded()]
    assert [rule for rule in rules(roles, "lsp-portal") if not any(map(rule.allows, done))] == []


def test_to_know_the_room_it_lists_nodes_and_pods_and_no_more(
    db: None, settings: Settings, tmp_path: Path
) -> None:
    roles = ROLES.with_name("capacity.yaml")
    with FakeCluster(roles=roles) as fake:
        settings.KUBECONFIG = fake.kubeconfig(tmp_path / "kubeconfig")
        settings.KUBERNETES_CAPACITY = True
        assert look(at=clock.now()) == 1
        done = [Call(*call) for call in fake.recorded()]
    assert [rule for rule in rules(roles, "lsp-portal") if not any(map(rule.allows, done))] == []


@pytest.mark.parametrize(
    ("kind", "namespace"),
    [("Secret", "hub"), ("Pod", "kube-system"), ("Pod", None), ("Node", None), ("Secret", "lsp")],
)
def test_nothing_else_can_be_listed(client: Client, kind: str, namespace: str | None) -> None:
    with pytest.raises(Refused, match="cannot list resource"):
        client.list(kind, namespace)


def test_a_stranger_is_refused(fake: FakeCluster, tmp_path: Path) -> None:
    kubeconfig = fake.kubeconfig(tmp_path / "other", token="a-stranger")
    with pytest.raises(Refused) as refusal:
        Client.of(replace(ONE, kubeconfig=kubeconfig)).get("Pod", "any", "lsp")
    assert refusal.value.status == 401


@pytest.mark.parametrize("path", sorted(ROLES.parent.glob("*.yaml")), ids=lambda path: path.name)
def test_what_administrators_apply_is_valid(path: Path) -> None:
    documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
    assert documents
    for document in documents:
        schema.check(document)
