"""What the client makes of a cluster that misbehaves."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from sessions.kubernetes import names
from sessions.kubernetes.client import (
    AlreadyThere,
    Client,
    Conflict,
    Gone,
    Refused,
    TooMany,
    Unavailable,
)
from sessions.kubernetes.manifests.server import server_manifests
from sessions.kubernetes.names import Manifest
from tests.kubernetes.fake import FakeCluster
from tests.kubernetes.fake.cluster import ADMIN
from tests.kubernetes.fake.resources import PODS
from tests.kubernetes.specs import ONE, PER_USER, bobs_server


@pytest.fixture
def secret() -> Manifest:
    return next(m for m in server_manifests(bobs_server(), ONE) if m["kind"] == "Secret")


def test_where_nobody_listens_nothing_was_done(tmp_path: Path, secret: Manifest) -> None:
    cluster = FakeCluster()
    kubeconfig = cluster.kubeconfig(tmp_path / "gone")
    cluster._server.server_close()
    cluster.timeline.end()
    with pytest.raises(Unavailable) as failure:
        Client.of(replace(ONE, kubeconfig=kubeconfig)).create(secret)
    assert not failure.value.perhaps_done


def test_a_lost_answer_is_found_by_looking(
    fake: FakeCluster, client: Client, secret: Manifest
) -> None:
    fake.fault("lost", verb="create", resource="secrets")
    with pytest.raises(Unavailable) as failure:
        client.create(secret)
    assert failure.value.perhaps_done
    creates = [call for call in fake.calls if call.verb == "create"]
    assert len(creates) == 1
    made = client.ensure(secret, owner=names.identity(secret))
    assert made["metadata"]["name"] == secret["metadata"]["name"]
    assert len([call for call in fake.calls if call.verb == "create"]) == 1


def test_a_create_that_was_dropped_is_not_repeated(
    fake: FakeCluster, client: Client, secret: Manifest
) -> None:
    fake.fault("dropped", verb="create")
    with pytest.raises(Unavailable) as failure:
        client.create(secret)
    assert failure.value.perhaps_done
    assert client.get("Secret", secret["metadata"]["name"], "lsp") is None


def test_a_read_is_repeated_once_or_twice(fake: FakeCluster, client: Client) -> None:
    fake.fault("dropped", verb="get", times=2)
    assert client.get("Secret", "none", "lsp") is None
    fake.fault("dropped", verb="get", times=3)
    with pytest.raises(Unavailable):
        client.get("Secret", "none", "lsp")


def test_too_many_requests_say_when_to_come_back(
    fake: FakeCluster, client: Client, secret: Manifest
) -> None:
    fake.fault("too_many", verb="*", times=2, seconds=7)
    with pytest.raises(TooMany, match=r"^Too many requests") as failure:
        client.create(secret)
    assert failure.value.retry_after == 7
    with pytest.raises(TooMany):
        client.get("Pod", "any", "lsp")


def test_an_error_of_the_server_may_have_done_it(
    fake: FakeCluster, client: Client, secret: Manifest
) -> None:
    fake.fault("error", verb="create")
    with pytest.raises(Unavailable, match="no leader") as failure:
        client.create(secret)
    assert failure.value.perhaps_done


def test_a_delete_whose_answer_was_lost_is_done(
    fake: FakeCluster, client: Client, secret: Manifest
) -> None:
    client.create(secret)
    fake.fault("lost", verb="delete")
    with pytest.raises(Unavailable):
        client.delete("Secret", secret["metadata"]["name"], "lsp")
    assert not client.delete("Secret", secret["metadata"]["name"], "lsp")


def test_a_page_of_a_forgotten_list_is_gone(fake: FakeCluster, client: Client) -> None:
    for number in range(3):
        pod(fake, f"pod-{number}")
    listing = client.list("Pod", "lsp", limit=1)
    pod(fake, "pod-later")
    fake.compact()
    with pytest.raises(Gone):
        list(listing)


def test_a_version_of_the_future_is_no_answer(client: Client) -> None:
    with pytest.raises(Unavailable, match="Too large resource version"):
        list(client.watch("Pod", "lsp", resource_version="99999999", timeout_seconds=1))


def test_a_quiet_watch_says_that_it_lives(fake: FakeCluster, client: Client) -> None:
    fake.set_times(bookmark=0.2)
    listing = client.list("Pod", "lsp")
    client.create(next(m for m in server_manifests(bobs_server(), ONE) if m["kind"] == "Secret"))
    version = listing.resource_version
    events = list(client.watch("Pod", "lsp", resource_version=version, timeout_seconds=1))
    assert {event.kind for event in events} == {"BOOKMARK"}
    assert int(events[-1].resource_version) > int(version)


def test_a_watch_that_says_nothing_is_given_up(fake: FakeCluster, client: Client) -> None:
    listing = client.list("Pod", "lsp")
    fake.fault("stalled", verb="watch", seconds=2)
    events = client.watch(
        "Pod",
        "lsp",
        resource_version=listing.resource_version,
        timeout_seconds=30,
        silence_seconds=0.3,
    )
    began = time.monotonic()
    with pytest.raises(Unavailable):
        list(events)
    assert time.monotonic() - began < 1.5


def test_a_watch_that_breaks_is_no_end(fake: FakeCluster, client: Client) -> None:
    listing = client.list("Pod", "lsp")
    pod(fake, "seen")
    fake.fault("cut", verb="watch")
    with pytest.raises(Unavailable):
        list(
            client.watch("Pod", "lsp", resource_version=listing.resource_version, timeout_seconds=5)
        )


def test_a_full_quota_stays_charged_for_what_failed(fake: FakeCluster, tmp_path: Path) -> None:
    """Why the client looks before it creates again."""
    client = admin(fake, tmp_path)
    cluster = replace(PER_USER, user_quota={"pods": "2"})
    manifests = server_manifests(bobs_server(namespace="lsp-bob"), cluster)
    for manifest in manifests:
        client.ensure(manifest, owner=names.identity(manifest))
    with pytest.raises(AlreadyThere):
        client.create(manifests[-1])
    with pytest.raises(Refused, match="exceeded quota"):
        client.create(manifests[-1])
    fake.recalculate_quotas()
    with pytest.raises(AlreadyThere):
        client.create(manifests[-1])


def test_a_new_namespace_takes_pods_a_moment_later(fake: FakeCluster, tmp_path: Path) -> None:
    fake.set_times(account=1.5)
    client = admin(fake, tmp_path)
    manifests = server_manifests(bobs_server(namespace="lsp-bob"), PER_USER)
    for manifest in manifests[:-1]:
        client.ensure(manifest, owner=names.identity(manifest))
    with pytest.raises(Refused) as refusal:
        client.ensure(manifests[-1], owner=names.identity(manifests[-1]))
    assert refusal.value.is_passing
    fake.wait_for(lambda: client.get("ServiceAccount", "default", "lsp-bob"))
    client.ensure(manifests[-1], owner=names.identity(manifests[-1]))


def test_a_pod_that_ends_is_not_adopted(fake: FakeCluster, client: Client) -> None:
    fake.plan(kill_seconds=1)
    manifests = server_manifests(bobs_server(), ONE)
    for manifest in manifests:
        client.ensure(manifest, owner=names.identity(manifest))
    name = manifests[-1]["metadata"]["name"]
    fake.wait_for(lambda: "Running" in str(fake.pod("lsp", name)))
    client.delete("Pod", name, "lsp")
    with pytest.raises(Conflict, match="being deleted"):
        client.ensure(manifests[-1], owner=names.identity(manifests[-1]))
    fake.wait_for(lambda: fake.pod("lsp", name) is None)


def test_ten_thousand_pods_are_listed_in_pages(fake: FakeCluster, client: Client) -> None:
    fake.store.listeners.clear()
    for number in range(10_000):
        pod(fake, f"pod-{number}")
    began = time.monotonic()
    assert sum(1 for _ in client.list("Pod", "lsp")) == 10_000
    assert time.monotonic() - began < 10
    assert len([call for call in fake.calls if call.verb == "list"]) == 20


def admin(fake: FakeCluster, tmp_path: Path) -> Client:
    return Client.of(replace(ONE, kubeconfig=fake.kubeconfig(tmp_path / "k", token=ADMIN)))


def pod(fake: FakeCluster, name: str) -> None:
    container = {"name": "notebook", "image": "x"}
    thing = {"metadata": {"name": name}, "spec": {"containers": [container]}, "status": {}}
    fake.store.create(PODS, "lsp", thing)
