"""The watcher against a cluster that misbehaves."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from pytest_django import Settings

from lsp_portal.lib import advisory, clock
from sessions.hub import pod_events
from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.watching import leading, listing
from sessions.kubernetes.watching.loop import Pace, Watcher
from sessions.kubernetes.watching.memory import Memory
from sessions.kubernetes.watching.sources import SPAWNED, Source, sources
from sessions.models import Alert, ClusterWatch, HubEvent, Session
from tests.kubernetes.driving.conftest import story as story
from tests.kubernetes.driving.story import Story
from tests.kubernetes.fake import FakeCluster
from tests.kubernetes.fake.resources import PODS
from tests.kubernetes.test_watch_evidence import ended, spawned
from tests.sessions.events.conftest import make_people
from tests.sessions.events.sender import key, make_sender

PACE = Pace(relist=30, silence=0.4, shortest=0.05, longest=0.2)
SOURCE = Source("Pod", "lsp", SPAWNED)


@pytest.fixture
def observed(fake: FakeCluster, kubeconfig: str, settings: Settings) -> FakeCluster:
    settings.KUBECONFIG = kubeconfig
    settings.KUBERNETES_NAMESPACE = "lsp"
    settings.KUBERNETES_OBSERVED_NAMESPACES = ["lsp"]
    make_people()
    make_sender()
    return fake


@pytest.fixture
def watcher(transactional_db: None, observed: FakeCluster) -> Iterator[Watcher]:
    stopping = threading.Event()
    found = Watcher(SOURCE, clock.now, stopping, PACE)
    thread = threading.Thread(target=found.run, daemon=True)
    thread.start()
    yield found
    stopping.set()
    thread.join(5)
    assert not thread.is_alive()


def run_pod(fake: FakeCluster, number: int = 1) -> dict[str, Any]:
    """KubeSpawner's pod of the session, created in the cluster."""
    pod = spawned(number)
    about = {k: v for k, v in pod["metadata"].items() if k != "uid"}
    container = {**pod["spec"]["containers"][0], "image": "base"}
    spec = {"containers": [container], "restartPolicy": "Never"}
    thing = {"apiVersion": "v1", "kind": "Pod", "metadata": about | {"namespace": "lsp"}}
    return fake.api.create(PODS, "lsp", {**thing, "spec": spec})


def until(seen: Callable[[], Any], seconds: float = 10) -> Any:
    ends = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < ends, "nothing came"
        time.sleep(0.05)
    return found


def end_of(number: int) -> Session | None:
    return Session.objects.filter(key=key(number), ended_at__isnull=False).first()


@pytest.mark.parametrize("fault", ["cut", "stalled", "compact", "error", "dropped", "too_many"])
def test_what_a_broken_watch_misses_is_seen_all_the_same(
    observed: FakeCluster, watcher: Watcher, fault: str
) -> None:
    run_pod(observed)
    until(lambda: Session.objects.filter(ready_at__isnull=False))
    if fault == "compact":
        observed.compact()
        observed.fault("cut", verb="watch")
    else:
        observed.fault(fault, verb="*" if fault == "error" else "watch", times=3, seconds=0)
    run_pod(observed, 2)
    observed.crash("lsp", "jupyter-bob-1", 3)
    found = until(lambda: end_of(1))
    assert (found.end_source, found.end_reason, found.exit_code) == ("pod", "crashed", 3)
    until(lambda: Session.objects.filter(ready_at__isnull=False).count() == 2)
    assert HubEvent.objects.filter(type=pod_events.ENDED).count() == 1


def test_a_cluster_that_is_away_is_asked_seldom_and_told(
    observed: FakeCluster, watcher: Watcher
) -> None:
    until(lambda: ClusterWatch.objects.filter(listed_at__isnull=False))
    observed.fault("error", times=10_000)
    observed.fault("cut", verb="watch")
    run_pod(observed)
    until(lambda: ClusterWatch.objects.exclude(trouble=""))
    before = len(observed.calls)
    time.sleep(1)
    assert len(observed.calls) - before <= 40, "pauses of 0.1 to 0.2 s, three tries each"
    observed.clear_faults()
    until(lambda: ClusterWatch.objects.filter(trouble=""))


def test_pauses_grow_and_differ() -> None:
    found = Watcher(SOURCE, clock.now, threading.Event())
    first = found._pause()
    found.failures = 30
    late = {found._pause() for _ in range(20)}
    assert 0.5 <= first <= 1 < 15 <= min(late) < max(late) <= 30


def test_a_pod_that_is_missing_ends_its_session_only_if_it_is_not_there_by_name(
    db: None, observed: FakeCluster, client: Client
) -> None:
    run_pod(observed)
    observed.wait_for(lambda: _is_ready(observed, "jupyter-bob-1"))
    at = clock.now() + timedelta(seconds=5)
    assert listing.look(at=at) == 1
    assert Session.objects.get().ended_at is None
    observed.store.remove(PODS, "lsp", "jupyter-bob-1")
    listing.look(at=at + timedelta(minutes=5))
    found = Session.objects.get()
    assert (found.end_source, found.ended_at) == (
        "pod", (at + timedelta(minutes=5)).replace(microsecond=0),
    )  # fmt: skip


def test_an_empty_list_after_many_pods_is_not_believed_at_once(
    db: None, observed: FakeCluster
) -> None:
    for number in range(12):
        run_pod(observed, number)
    for number in range(12):
        observed.wait_for(partial(_is_ready, observed, f"jupyter-bob-{number}"))
    at = clock.now() + timedelta(seconds=5)
    listing.look(at=at)
    # They are of one seat: what counts here is only whether they are ended by this list.
    Session.objects.update(ended_at=None, end_source="", superseded_at=None)
    for number in range(12):
        observed.store.remove(PODS, "lsp", f"jupyter-bob-{number}")
    listing.look(at=at + timedelta(minutes=1))
    alert = Alert.objects.get(kind=Alert.Kind.PODS_DOUBTED)
    assert "lacks 12 of 12" in alert.detail
    assert not HubEvent.objects.filter(type=pod_events.GONE).exists()
    listing.look(at=at + timedelta(minutes=17))
    assert HubEvent.objects.filter(type=pod_events.GONE).count() == 12
    alert.refresh_from_db()
    assert alert.resolved_at is not None


def _is_ready(fake: FakeCluster, name: str) -> bool:
    pod = fake.pod("lsp", name) or {}
    return any(
        c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", [])
    )


def test_a_driven_server_follows_the_watch(story: Story) -> None:
    story.start()
    story.fake.wait_for(lambda: _is_ready(story.fake, story.row().name))
    assert listing.look(at=story.clock) == 2, "pods and events"
    assert story.row().state == "ready"
    listing.look(at=story.clock + timedelta(seconds=1))
    codes = story.codes()
    assert "scheduled" in codes
    assert len(codes) == len(set(codes)), "once each"
    assert story.session().node == "node-1"
    assert not Alert.objects.exists(), "the portal's own events come from no outbox"
    story.fake.crash("lsp", story.row().name, 137, "OOMKilled")
    listing.look(at=clock.now() + timedelta(seconds=2))
    found = story.session()
    assert (story.row().state, found.end_source, found.end_reason) == ("stopping", "pod", "oom")


def test_without_hubs_to_drive_and_namespaces_nothing_is_asked(
    db: None, one: Cluster, settings: Settings
) -> None:
    settings.KUBERNETES_OBSERVED_NAMESPACES = []
    assert sources(one) == []


def test_only_who_holds_the_lock_watches_and_it_ends_when_told(
    transactional_db: None, observed: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "CHECK_SECONDS", 0.1)
    stopping = threading.Event()

    def run() -> None:
        leading.watch_cluster(stopping, now=clock.now, pace=PACE)
        connection.close()

    with advisory.try_held(leading.LOCK) as is_mine:
        assert is_mine
        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(0.5)
        assert not observed.calls, "somebody else leads"
    until(lambda: ClusterWatch.objects.filter(source=SOURCE.name))
    stopping.set()
    began = time.monotonic()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - began < leading.END_SECONDS


def test_ten_thousand_pods_are_remembered_in_a_few_megabytes() -> None:
    pod = ended(60)
    tracemalloc.start()
    memory = Memory()
    for _ in range(10_000):
        memory.keep({**pod, "metadata": {**pod["metadata"], "uid": str(uuid4())}})
    used, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(memory), used < 4_000_000) == (10_000, True)
    memory.keep_only([])
    assert len(memory) == 0


def test_what_failed_is_told_again() -> None:
    memory, pod = Memory(), spawned()
    assert memory.is_news(pod)
    memory.keep(pod)
    assert not memory.is_news({**pod, "metadata": pod["metadata"] | {"resourceVersion": "9"}})
    assert memory.is_news(ended(60))
