"""What pods show of sessions beside the hub's own word, in any order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from accounting.audit.records import CHECKS
from accounting.pages import endings
from sessions.kubernetes.watching.endings import note
from sessions.kubernetes.watching.pods import shown, whose
from sessions.kubernetes.watching.taking import take_pods
from sessions.models import Charge, HubEvent, QuarantinedEvent, Repair, Session
from tests.sessions.events.conftest import make_people
from tests.sessions.events.sender import START, Sender, key, make_sender

Pod = dict[str, Any]


def after(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def stamp(seconds: int) -> str:
    return f"{after(seconds):%Y-%m-%dT%H:%M:%SZ}"


def spawned(
    number: int = 1, *, ready: int | None = 10, phase: str = "Running", **status: Any
) -> Pod:
    """A pod of KubeSpawner's in which Bob's session runs."""
    conditions = status.pop("conditions", [])
    if ready is not None:
        told = {"type": "Ready", "status": "True", "lastTransitionTime": stamp(ready)}
        conditions = [*conditions, told]
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"jupyter-bob-{number}", "namespace": "spawned", "uid": str(key(100 + number)),
            "labels": {"component": "singleuser-server"},
            "annotations": {"hub.jupyter.org/username": "bob"},
        },
        "spec": {"nodeName": "node-1", "containers": [{"name": "notebook", "env": [
            {"name": "LSP_SESSION", "value": str(key(number))},
            {"name": "LSP_HUB", "value": "demo"},
            {"name": "LSP_TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
        ]}]},
        "status": {"phase": phase, "conditions": conditions, **status},
    }  # fmt: skip


def ended(seconds: int, code: int = 1, reason: str = "Error", **more: Any) -> Pod:
    state = {"terminated": {"exitCode": code, "reason": reason, "finishedAt": stamp(seconds)}}
    containers = [{"name": "notebook", "state": state}]
    phase = "Failed" if code else "Succeeded"
    return spawned(ready=None, phase=phase, containerStatuses=containers, **more)


def put_out(seconds: int) -> Pod:
    """By its node, for want of memory."""
    pod = ended(seconds, 137)
    return {**pod, "status": {**pod["status"], "reason": "Evicted", "message": "low on memory"}}


def drained(seconds: int) -> Pod:
    told = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    return ended(seconds, 143, conditions=[{**told, "lastTransitionTime": stamp(seconds - 2)}])


def told_to_end(pod: Pod, seconds: int, grace: int = 30) -> Pod:
    asked = {"deletionTimestamp": stamp(seconds + grace), "deletionGracePeriodSeconds": grace}
    return {**pod, "metadata": {**pod["metadata"], **asked}}


def session() -> Session:
    return Session.objects.get(key=key(1))


def audit() -> None:
    """The records follow from the events, by the audit's own way of working it out."""
    for check in CHECKS:
        check.run()


@pytest.fixture
def sender(db: None) -> Sender:
    make_people()
    return make_sender()


def test_a_crash_of_which_the_hub_never_tells_ends_the_session(sender: Sender) -> None:
    sender.take_in([sender.requested(0), sender.ready(20)])
    take_pods([spawned()], at=after(30))
    assert (session().ready_at, session().node) == (after(20), "node-1"), "the hub says when"
    take_pods([ended(3620, 137, "OOMKilled")], at=after(3700))
    found = session()
    assert (found.ended_at, found.end_source, found.end_reason) == (after(3620), "pod", "oom")
    assert (found.exit_code, Charge.objects.get().ended_at) == (137, after(3620))
    assert endings.words(found, Session.State.ENDED) == "ran out of memory"
    audit()
    assert note(at=after(3700)) == 0, "the hub's word may be on its way"
    note(at=after(4000))
    note(at=after(4300))
    repair = Repair.objects.get()
    assert (repair.session, repair.moment, repair.confidence) == (found, after(3620), "high")


def test_where_the_hub_tells_the_end_of_a_deleted_pod_its_word_counts(sender: Sender) -> None:
    sender.take_in([sender.requested(0), sender.ready(20)])
    gone = told_to_end(ended(3605, 143), 3600)
    take_pods([spawned(), gone], at=after(3606))
    take_pods([gone], at=after(3607), deleted=True)
    assert (session().ended_at, session().end_source) == (after(3605), "pod")
    assert "pod is gone" in endings.words(session(), Session.State.ENDED)
    audit()
    sender.take_in([sender.stopped(3610, reason="culled")])
    audit()
    found = session()
    assert (found.ended_at, found.end_source, found.end_reason) == (after(3610), "stop", "culled")
    note(at=after(9000))
    assert not Repair.objects.exists()


def test_a_ready_pod_counts_until_the_hub_says_ready_and_not_for_a_failed_start(
    sender: Sender,
) -> None:
    sender.take_in([sender.requested(0)])
    take_pods([spawned()], at=after(15))
    assert session().ready_at == after(10)
    audit()
    sender.take_in([sender.ready(25)])
    assert (session().ready_at, Charge.objects.get().started_at) == (after(25), after(25))

    sender.take_in([sender.requested(0, 2, "alice"), sender.failed(60, 2, "alice", reason="x")])
    pod = spawned(2)
    pod["metadata"]["annotations"] = {"hub.jupyter.org/username": "alice"}
    take_pods([pod], at=after(70))
    assert Session.objects.get(key=key(2)).ready_at is None
    assert Charge.objects.count() == 1


def test_a_pod_that_names_somebody_elses_session_is_no_evidence(sender: Sender) -> None:
    sender.take_in([sender.requested(0), sender.ready(20)])
    pod = ended(50)
    pod["metadata"]["annotations"] = {"hub.jupyter.org/username": "charlie"}
    take_pods([pod], at=after(60))
    assert session().ended_at is None


@pytest.mark.parametrize(
    ("pod", "kind", "reason", "at"),
    [
        (ended(90, 0, "Completed"), "pod.ended", "unknown", 90),
        (ended(90, 3), "pod.ended", "crashed", 90),
        (told_to_end(ended(90, 3), 95), "pod.ended", "crashed", 90),
        (told_to_end(ended(97, 143), 95), "pod.gone", "unknown", 97),
        (put_out(90), "pod.ended", "evicted", 90),
        (told_to_end(drained(97), 95), "pod.ended", "evicted", 97),
    ],
)
def test_how_a_pod_ended(pod: Pod, kind: str, reason: str, at: int) -> None:
    [event] = shown(pod, at=after(500))
    assert (event.kind, event.data["reason"], event.at) == (kind, reason, after(at))


def test_a_restarted_container_is_no_end_and_a_strange_pod_of_nobody() -> None:
    pod = spawned(containerStatuses=[{"name": "notebook", "state": {"terminated": {}}}])
    assert [event.kind for event in shown(pod, at=START)] == ["pod.ready"]
    pod["spec"]["containers"][0]["env"][0]["value"] = "what"
    assert whose(pod) is None
    assert list(shown(pod, at=START)) == []


STATES = [spawned(), spawned(ready=12), ended(60, 1), told_to_end(ended(60, 1), 80)]
CALLS = ["requested", "ready", "stopped", *range(len(STATES))]


def records() -> list[tuple[Any, ...]]:
    names = (
        "key", "ready_at", "stopped_at", "ended_at", "end_source", "stop_source", "end_reason",
        "exit_code", "node", "pod_uid",
    )  # fmt: skip
    charges = Charge.objects.values_list("started_at", "ended_at")
    return [*Session.objects.values_list(*names), *charges]


@pytest.mark.django_db
class TestAnyOrder:
    @settings(deadline=None, max_examples=25)
    @given(st.data())
    def test_the_records_are_the_same(self, data: Any) -> None:
        shuffled = data.draw(st.permutations(CALLS * 2))
        with transaction.atomic():
            make_people()
            sender = make_sender()
            sent = {
                "requested": sender.requested(0), "ready": sender.ready(20),
                "stopped": sender.stopped(70, reason="crashed"),
            }  # fmt: skip
            in_order = self._after(sender, sent, CALLS)
            HubEvent.objects.all().delete()
            Charge.objects.all().delete()
            Session.objects.all().delete()
            assert self._after(sender, sent, shuffled) == in_order
            assert not QuarantinedEvent.objects.exists()
            transaction.set_rollback(True)

    def _after(self, sender: Sender, sent: dict[str, Any], calls: list[Any]) -> list[Any]:
        for call in calls:
            if isinstance(call, str):
                sender.take_in([sent[call]])
            else:
                take_pods([STATES[call]], at=after(100))
        return records()
