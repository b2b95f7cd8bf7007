"""Prepulling against a cluster over HTTP, with the rights that the portal has there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.prepulling.prepull import fetch_again, prepull, step, wanted
from sessions.models import Hub, Image, NodeImage
from tests import factories
from tests.kubernetes.conftest import ROLES
from tests.kubernetes.fake import FakeCluster

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)
GOOD, BEST = "images.example.org/lab@sha256:aa", "images.example.org/lab@sha256:bb"


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeCluster]:
    """A cluster of one node, in which the portal may do what it needs for prepulling."""
    roles = tmp_path / "roles.yaml"
    files = (ROLES, ROLES.with_name("prepulling.yaml"))
    roles.write_text("\n---\n".join(file.read_text() for file in files))
    with FakeCluster(roles=roles) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def offered(settings: Settings) -> None:
    settings.KUBERNETES_PREPULL_NAMESPACE = "lsp"
    Image.objects.create(name="good", title="Good", reference=GOOD)
    Image.objects.create(name="best", title="Best", reference=BEST, recommended=True)
    factories.hub(mode=Hub.Mode.DRIVE)


def states(node: str) -> dict[str, str]:
    return dict(NodeImage.objects.filter(node=node).values_list("reference", "state"))


def take_steps(client: Client, here: Cluster, number: int, *, at: datetime = NOW) -> None:
    for _ in range(number):
        step(client, here, at=at)
        time.sleep(0.1)


def test_every_node_gets_every_image_the_recommended_one_first(
    fake: FakeCluster, client: Client, one: Cluster
) -> None:
    fake.add_node("node-2")
    fake.add_node("gpu", taints=[{"key": "gpu", "effect": "NoSchedule"}])
    assert wanted() == [BEST, GOOD]
    assert step(client, one, at=NOW) == 2
    assert states("node-1") == {BEST: "fetching", GOOD: "waiting"}
    take_steps(client, one, 6)
    assert states("node-1") == states("node-2") == {BEST: "present", GOOD: "present"}
    assert set(states("gpu").values()) == {"left_out"}
    assert list(client.list("Pod", "lsp")) == []


def test_an_image_that_cannot_be_fetched_is_told_and_keeps_no_other_from_it(
    fake: FakeCluster, client: Client, one: Cluster
) -> None:
    fake.plan("lsp-puller-*", pull_error="manifest unknown")
    take_steps(client, one, 2)
    row = NodeImage.objects.get(reference=BEST)
    assert row.state == "failed"
    assert "manifest unknown" in row.message
    fake.plan("lsp-puller-*")
    take_steps(client, one, 3)
    assert states("node-1") == {BEST: "failed", GOOD: "present"}
    assert fetch_again([BEST]) == 1
    take_steps(client, one, 3)
    assert states("node-1")[BEST] == "present"


def test_an_image_that_retires_is_fetched_no_more(
    fake: FakeCluster, client: Client, one: Cluster
) -> None:
    step(client, one, at=NOW)
    Image.objects.filter(name="best").update(retires_at=NOW + timedelta(days=7))
    take_steps(client, one, 4)
    assert states("node-1") == {GOOD: "present"}


def test_without_a_namespace_nothing_is_asked(settings: Settings) -> None:
    settings.KUBERNETES_PREPULL_NAMESPACE = ""
    assert prepull(at=NOW) == 0


def test_what_only_a_hub_with_servers_of_its_own_offers_is_not_fetched() -> None:
    other = Image.objects.create(name="other", title="Other", reference=f"{GOOD}00")
    factories.hub("spawns").images.set([other])
    assert wanted() == [BEST, GOOD]


def test_an_image_that_two_hubs_offer_is_fetched_once() -> None:
    factories.hub("second", mode=Hub.Mode.DRIVE)
    assert wanted() == [BEST, GOOD]
