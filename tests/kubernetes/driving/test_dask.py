"""A Dask cluster from the wish to its end, against a cluster that misbehaves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from accounting.audit.records import CHECKS
from lsp_portal.lib import clock
from sessions.dask import asking
from sessions.dask.refusals import DaskRefused
from sessions.dask.sizes import DaskSize
from sessions.driving.asking import ask_to_stop
from sessions.kubernetes import tending
from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import cluster as settings_cluster
from sessions.kubernetes.manifests.dask import dask_cluster
from sessions.kubernetes.watching.listing import look
from sessions.models import Alert, Charge, DaskCluster, DaskWorker
from tests.kubernetes.driving.story import PATIENCE, Story
from tests.kubernetes.fake.dask_operator import AUTOSCALERS, CLUSTERS
from tests.kubernetes.fake.resources import Resource
from tests.kubernetes.specs import bobs_dask

MINUTE = timedelta(minutes=1)
POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies")
OFF_BY_ITSELF = "It had nothing to do"


@dataclass
class Dask:
    """Bob's Dask cluster, one step of the workers at a time."""

    story: Story

    def want(self, *size: int) -> DaskCluster:
        asked = DaskSize(*size) if size else None
        asking.want(self.story.session(), asked, at=self.story.clock)
        return self.row()

    def row(self) -> DaskCluster:
        return DaskCluster.objects.latest("pk")

    def tend(self, *, later: timedelta = timedelta(seconds=2)) -> timedelta | None:
        self.story.clock += later
        now = self.story.clock
        return tending.tend(self.row().pk, at=now, now=lambda: now)

    def until(self, seen: Callable[[], Any], *, later: timedelta = timedelta(0)) -> None:
        ends = time.monotonic() + PATIENCE
        while not seen():
            assert time.monotonic() < ends, f"not so: {self.row().state} {self.row().note}"
            self.tend(later=later)
            time.sleep(0.05)

    def running(self, workers: int) -> DaskCluster:
        """Once it runs, with so many workers that are recorded as running."""
        self.until(
            lambda: (
                self.row().state == "running"
                and DaskWorker.objects.running().count() == workers
                and self.row().applied == self.row().wish
            )
        )
        return self.row()

    def gone(self) -> DaskCluster:
        self.until(lambda: self.row().cleaned_at is not None)
        return self.row()

    def live(self) -> dict[str, Any] | None:
        return self.story.fake.store.find(CLUSTERS, "lsp", self.row().name)

    def autoscaler(self) -> dict[str, Any] | None:
        return self.story.fake.store.find(AUTOSCALERS, "lsp", self.row().name)

    def pods(self) -> int:
        return sum("dask" in pod["metadata"]["name"] for pod in self.story.fake.pods("lsp"))


@pytest.fixture
def dask(story: Story, settings: Settings) -> Dask:
    settings.KUBERNETES_DASK = True
    story.ready()
    story.clock = clock.now()
    return Dask(story)


def charges() -> list[Charge]:
    return list(Charge.objects.filter(origin="dask").order_by("pk"))


def audit() -> None:
    for check in CHECKS:
        check.run()


def test_two_workers_are_made_charged_and_removed(dask: Dask) -> None:
    dask.want()
    row = dask.running(2)
    assert (row.applied, row.workers, row.note) == (1, 2, "")
    assert [(c.group, c.user) for c in charges()] == [(row.session.group, row.session.user)] * 2
    assert dask.tend() is None, "nothing is left to do"
    asking.end(dask.story.session(), at=dask.story.clock)
    assert dask.gone().state == "gone"
    assert (dask.live(), dask.pods()) == (None, 0)
    own = [p["metadata"]["name"] for p in dask.story.fake.store.all(POLICIES, "lsp")]
    assert own == ["lsp-notebooks"]
    assert all(charge.ended_at for charge in charges())
    assert len(charges()) == 2
    audit()


def test_it_is_scaled_and_follows_the_work(dask: Dask) -> None:
    dask.want(1)
    dask.running(1)
    dask.want(4)
    assert dask.row().wish == 2
    dask.running(4)
    assert len(charges()) == 4
    dask.want(1, 1, 6)
    dask.until(lambda: dask.autoscaler() is not None)
    dask.story.fake.dask.want("lsp", dask.row().name, 6)
    dask.running(6)
    dask.want(2)
    dask.running(2)
    assert dask.autoscaler() is None
    assert len([charge for charge in charges() if charge.ended_at is None]) == 2
    audit()


def test_it_ends_with_its_session(dask: Dask) -> None:
    dask.want()
    dask.running(2)
    ask_to_stop(dask.story.session(), at=dask.story.clock)
    assert dask.row().state == "deleting"
    assert dask.gone().note == "Its session has ended."
    audit()


def test_a_session_that_is_over_by_evidence_alone_ends_it_at_the_sweep(dask: Dask) -> None:
    dask.want()
    dask.running(2)
    # A crash of the portal between the end of the server and that of its cluster.
    dask.story.server.desired, dask.story.server.state = "stopped", "stopping"
    dask.story.server.save(update_fields=["desired", "state"])
    dask.story.sweep()
    assert dask.row().state == "deleting"
    dask.gone()


def test_an_idle_cluster_is_ended_by_the_operator(dask: Dask) -> None:
    dask.want()
    name = dask.running(2).name
    dask.story.fake.dask.find_idle("lsp", name)
    row = dask.gone()
    assert row.note.startswith(OFF_BY_ITSELF)
    assert dask.want(1).name != name, "the next one has a name of its own"
    dask.running(1)


def test_while_the_operator_is_down_it_is_shown_as_being_deleted(dask: Dask) -> None:
    dask.want()
    dask.running(2)
    dask.story.fake.dask.stop()
    asking.end(dask.story.session(), at=dask.story.clock)
    assert dask.tend() is not None
    assert dask.tend(later=2 * MINUTE) is None, "the sweep looks on"
    row = dask.row()
    assert (row.state, row.note.split(".")[0]) == ("deleting", "Kubernetes has not ended it yet")
    assert Alert.objects.get(kind="not_gone").subject == f"Dask cluster of session {row.session_id}"
    live = dask.live()
    assert live is not None
    assert live["metadata"]["finalizers"], "finalizers are not ours"
    with pytest.raises(DaskRefused, match="still being deleted"):
        dask.want(1)
    dask.story.fake.dask.resume()
    assert dask.gone().note == ""
    assert Alert.objects.get(kind="not_gone").resolved_at is not None


def test_tended_twice_at_once_it_is_one_cluster(dask: Dask) -> None:
    row = dask.want(3)
    dask.tend()
    DaskCluster.objects.update(applied=0, state="asked", claimed_until=None)  # died in between
    dask.running(3)
    assert len(dask.story.fake.store.all(CLUSTERS, "lsp")) == 1
    assert DaskWorker.objects.count() == 3
    DaskCluster.objects.update(claimed_until=dask.story.clock + MINUTE)
    assert tending.tend(row.pk, at=dask.story.clock, now=lambda: dask.story.clock) is None


@pytest.mark.parametrize("fault", ["too_many", "error", "dropped", "lost"])
def test_whatever_goes_wrong_once_it_runs_in_the_end(dask: Dask, fault: str) -> None:
    dask.story.fake.fault(fault, verb="create", resource="daskclusters")
    dask.want(1)
    dask.running(1)
    assert len(charges()) == 1


def test_the_watcher_sees_workers_end_that_nobody_asked_for(dask: Dask) -> None:
    dask.want()
    name = dask.running(2).name
    look(at=dask.story.clock)
    [pod, _] = [
        pod for pod in dask.story.fake.pods("lsp") if f"{name}-default" in pod["metadata"]["name"]
    ]
    dask.story.fake.crash("lsp", pod["metadata"]["name"], code=137, reason="OOMKilled")
    look(at=clock.now())
    ended = DaskWorker.objects.get(pod_uid=pod["metadata"]["uid"])
    assert ended.end_reason == "oom"
    assert ended.charge is not None
    assert ended.charge.ended_at is not None
    audit()


def test_a_cluster_of_nobody_is_reported_and_left_alone(dask: Dask) -> None:
    client = Client.of(settings_cluster())
    client.create(dask_cluster(bobs_dask(), settings_cluster()))
    dask.story.sweep()
    assert bobs_dask().name in Alert.objects.get(kind="stray_object").detail
    assert dask.story.fake.store.find(CLUSTERS, "lsp", bobs_dask().name) is not None


def test_what_a_lost_request_made_late_is_removed(dask: Dask) -> None:
    dask.want(1)
    dask.running(1)
    asking.end(dask.story.session(), at=dask.story.clock)
    row = dask.gone()
    client = Client.of(settings_cluster())
    client.create(dask_cluster(bobs_dask(key=row.key, name=row.name), settings_cluster()))
    dask.story.sweep()
    dask.story.fake.wait_for(lambda: dask.live() is None)
