"""What pods of Dask workers show, and what the group pays for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from accounting.audit.checks import DifferenceError
from accounting.audit.records import CHECKS
from accounts.models import Group
from sessions import usage
from sessions.attribution import attribute
from sessions.dask import recording
from sessions.dask.recording import Sighting
from sessions.kubernetes import names
from sessions.kubernetes.watching.workers import sighting
from sessions.models import Charge, DaskCluster, DaskWorker, Session, StaleDay
from tests.sessions.events.conftest import make_people
from tests.sessions.events.conftest import sender as sender
from tests.sessions.events.sender import START, Sender, make_sender

KEY = UUID("5d1c3c52-7c8f-4d19-9d3a-6a3f7f0f8a01")
HOUR = 3600


def after(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def stamp(seconds: int) -> str:
    return f"{after(seconds):%Y-%m-%dT%H:%M:%SZ}"


def worker(number: int = 1, **state: Any) -> dict[str, Any]:
    """The pod of a worker as the operator makes it."""
    phase = state.pop("phase", "Running")
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"lsp-dask-default-worker-{number}", "namespace": "lsp", "uid": f"uid-{number}",
            "labels": {names.CLUSTER: str(KEY), "dask.org/component": "worker"},
        },
        "spec": {"nodeName": "node-1", "containers": [{"name": "worker"}]},
        "status": {"phase": phase, "containerStatuses": [{"name": "worker", **state}]},
    }  # fmt: skip


def running(seconds: int, number: int = 1) -> dict[str, Any]:
    return worker(number, state={"running": {"startedAt": stamp(seconds)}})


def ended(start: int, end: int, number: int = 1, code: int = 0) -> dict[str, Any]:
    told = {"startedAt": stamp(start), "finishedAt": stamp(end), "exitCode": code}
    phase = "Failed" if code else "Succeeded"
    return worker(number, phase=phase, state={"terminated": told})


def take(pod: dict[str, Any], seconds: int, *, deleted: bool = False) -> None:
    seen = sighting(pod, at=after(seconds), deleted=deleted)
    assert seen is not None
    assert recording.take_in([seen]) == 1


def make_cluster(session: Session, **values: Any) -> DaskCluster:
    known: dict[str, Any] = {
        "key": KEY, "name": "lsp-dask", "workers": 2, "cpu_millicores": 1000, "memory_mib": 8192,
        "idle_seconds": 3600, "asked_at": after(30), "changed_at": after(30),
    }  # fmt: skip
    return DaskCluster.objects.create(session=session, **{**known, **values})


def workers_charges() -> list[tuple[Any, ...]]:
    charges = Charge.objects.filter(origin="dask").order_by("started_at", "dask_worker__pod")
    return list(charges.values_list("started_at", "ended_at", "group__name", "user__username"))


def audit() -> None:
    for check in CHECKS:
        check.run()


@pytest.fixture
def session(sender: Sender) -> Session:
    sender.take_in([sender.requested(0), sender.ready(20)])
    session = Session.objects.get()
    make_cluster(session)
    return session


def test_each_worker_is_a_charge_of_the_sessions_group(session: Session) -> None:
    for number in (1, 2):
        take(running(60, number), 70)
    assert workers_charges() == [(after(60), None, "transients", "bob")] * 2
    used = usage.session_usage([session.pk], at=after(60 + HOUR))[session.pk]
    notebook = (40 + HOUR) * 1000
    assert used.millicore_seconds == notebook + 2 * HOUR * 1000
    assert used.mib_seconds == (40 + HOUR) * 2048 + 2 * HOUR * 8192
    audit()


def test_a_worker_ends_when_its_container_ended_not_when_that_was_seen(session: Session) -> None:
    take(running(60), 70)
    take(ended(60, 600, code=137), 605)
    take(ended(60, 600, code=137), 700, deleted=True)
    assert workers_charges() == [(after(60), after(600), "transients", "bob")]
    assert DaskWorker.objects.get().end_reason == "crashed"
    assert StaleDay.objects.filter(day=START.date(), group__name="transients").exists()
    audit()


def test_a_pod_that_was_only_seen_at_its_end_is_charged_from_its_start(session: Session) -> None:
    take(ended(60, 600), 605)
    assert workers_charges() == [(after(60), after(600), "transients", "bob")]


def test_a_pod_that_vanished_ends_when_it_was_missed(session: Session) -> None:
    take(running(60), 70)
    take(running(60), 900, deleted=True)
    assert workers_charges() == [(after(60), after(900), "transients", "bob")]


def test_a_container_that_is_started_again_goes_on(session: Session) -> None:
    take(running(60), 70)
    pod = running(300)
    last = {"terminated": {"startedAt": stamp(60), "finishedAt": stamp(299), "exitCode": 137}}
    pod["status"]["containerStatuses"][0]["lastState"] = last
    take(pod, 310)
    assert workers_charges() == [(after(60), None, "transients", "bob")]


def test_a_worker_that_never_ran_costs_nothing(session: Session) -> None:
    take(worker(phase="Pending", state={"waiting": {"reason": "ImagePullBackOff"}}), 70)
    assert workers_charges() == []
    audit()


def test_no_worker_is_charged_beyond_its_session(session: Session, sender: Sender) -> None:
    take(running(60), 70)
    sender.take_in([sender.stopped(1000)])
    assert workers_charges() == [(after(60), after(1000), "transients", "bob")]
    take(ended(60, 1200), 1201)
    assert workers_charges() == [(after(60), after(1000), "transients", "bob")]
    audit()


def test_an_earlier_end_of_the_session_that_is_told_late_moves_its_workers(
    session: Session, sender: Sender
) -> None:
    take(ended(60, 1200), 1201)
    sender.take_in([sender.stopped(1300)])
    sender.take_in([sender.stopped(800)])
    assert workers_charges() == [(after(60), after(800), "transients", "bob")]
    audit()


def test_who_is_attributed_later_pays_for_the_workers_too(sender: Sender) -> None:
    sender.take_in([sender.requested(0, group="galaxies"), sender.ready(20)])
    session = Session.objects.get()
    make_cluster(session)
    take(ended(60, 600), 605)
    assert workers_charges() == [(after(60), after(600), None, "bob")]
    assert session.user is not None
    group = Group.objects.get(name="galaxies")
    attribute(session, user=session.user, group=group, at=after(700))
    assert workers_charges() == [(after(60), after(600), "galaxies", "bob")]
    assert StaleDay.objects.filter(group=group).exists()
    audit()


def test_pods_of_unknown_clusters_and_other_pods_are_nothing(session: Session) -> None:
    assert recording.take_in([Sighting(UUID(int=1), "u", "p", started_at=after(9))]) == 0
    scheduler = running(60)
    scheduler["metadata"]["labels"]["dask.org/component"] = "scheduler"
    assert sighting(scheduler, at=after(70)) is None
    assert not DaskWorker.objects.exists()


def test_the_audit_finds_a_worker_that_is_charged_otherwise(session: Session) -> None:
    take(ended(60, 600), 605)
    Charge.objects.filter(origin="dask").update(ended_at=after(601))
    with pytest.raises(DifferenceError, match="worker-1"):
        audit()


def test_the_audit_finds_a_charge_without_a_worker(session: Session) -> None:
    take(ended(60, 600), 605)
    DaskWorker.objects.all().delete()
    with pytest.raises(DifferenceError, match="no worker"):
        audit()


LOOKS = [
    (running(60), 70, False),
    (running(300), 310, False),  # of a container that was started again
    (ended(300, 900), 905, False),
    (ended(300, 900), 950, True),
    (running(60, 2), 75, False),
    (running(60, 2), 800, True),
]


@pytest.mark.django_db
class TestAnyOrder:
    @settings(deadline=None, max_examples=25)
    @given(st.data())
    def test_the_charges_are_the_same(self, data: Any) -> None:
        calls = ["stopped", *range(len(LOOKS))]
        shuffled = data.draw(st.permutations(calls * 2))
        with transaction.atomic():
            make_people()
            sender = make_sender()
            sender.take_in([sender.requested(0), sender.ready(20)])
            make_cluster(Session.objects.get())
            stopped = sender.stopped(1000)
            for call in shuffled:
                if call == "stopped":
                    sender.take_in([stopped])
                else:
                    pod, seconds, deleted = LOOKS[int(call)]
                    take(pod, seconds, deleted=deleted)
            assert workers_charges() == [
                (after(60), after(900), "transients", "bob"),
                (after(60), after(800), "transients", "bob"),
            ]
            audit()
            transaction.set_rollback(True)
