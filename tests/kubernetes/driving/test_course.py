"""A server from the wish to its end, against a cluster that misbehaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client as WebClient

from sessions.driving import asking, sealing
from sessions.driving.claims import LEASE
from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import cluster
from sessions.kubernetes.watching import listing
from sessions.models import Alert, Charge, HubEvent, Server, Session
from tests.kubernetes.driving.story import SECOND, Story
from tests.kubernetes.fake.resources import Object, core

ALL = ["pods", "secrets", "services"]


def ask_to_stop(story: Story) -> None:
    assert asking.ask_to_stop(story.session(), at=story.clock)


def test_a_server_is_started_followed_and_stopped(story: Story) -> None:
    assert story.start() is None
    assert story.row().state == "starting"
    assert bytes(story.row().sealed) == b""
    server = story.until("ready")
    assert (server.address, server.node) == ("http://127.0.0.1:8888", "node-1")
    assert story.objects() == ALL
    assert not story.follow(), "nobody waits any more"
    ask_to_stop(story)
    assert story.until_clean().state == "gone"
    assert story.objects() == []
    told = story.codes()
    assert [code for code in told if code in ("asked", "scheduled", "pulled", "ready", "gone")]
    assert told.index("asked") < told.index("scheduled") < told.index("ready") < told.index("gone")


def test_the_pod_is_evidence_of_the_session_once(story: Story) -> None:
    server = story.ready()
    story.sweep()
    [event] = HubEvent.objects.filter(type="pod.ready")
    assert event.data["pod_uid"] == server.pod_uid
    session = story.session()
    assert (session.ready_at, session.node) == (server.ready_at, "node-1")
    assert Charge.objects.filter(session=session).count() == 1


def test_started_twice_it_is_one_server(story: Story) -> None:
    story.start()
    uid = story.row().pod_uid
    Server.objects.update(state="creating")  # the first task died before it wrote down the end
    Server.objects.update(sealed=story.server.sealed or sealing.seal({"A": "b"}))
    story.start()
    assert (story.row().state, story.row().pod_uid) == ("starting", uid)
    assert len(story.fake.pods("lsp")) == 1


def test_a_claimed_server_is_left_to_who_claimed_it_until_the_claim_is_over(story: Story) -> None:
    Server.objects.update(claimed_until=story.clock + LEASE)
    assert story.start() is None
    assert story.row().state == "asked"
    story.start(later=LEASE)
    assert story.row().state == "starting"


@pytest.mark.parametrize("resource", ["secrets", "services", "pods"])
@pytest.mark.parametrize("kind", ["lost", "dropped", "error", "too_many"])
def test_a_create_that_goes_wrong_is_made_good(story: Story, kind: str, resource: str) -> None:
    story.fake.fault(kind, verb="create", resource=resource, seconds=1)
    again = story.start()
    assert again is not None
    assert "cluster_waits" in story.codes()
    story.start(later=again)
    story.until("ready")
    assert story.objects() == ALL


def test_a_start_is_given_up_at_its_deadline_and_nothing_is_left(story: Story) -> None:
    story.fake.plan(never_ready=True)
    story.start()
    story.follow(later=timedelta(seconds=600))
    server = story.row()
    assert (server.state, server.failure_code) == ("failed", "deadline")
    assert server.failure_message.startswith("The server was not ready after 10 min.")
    assert story.session().state(at=story.clock) == Session.State.FAILED
    story.until_clean()
    assert (story.row().state, story.objects()) == ("failed", [])


def test_a_deadline_holds_also_when_the_cluster_is_away(story: Story) -> None:
    story.fake.fault("dropped", times=100)
    story.start()
    story.follow(later=timedelta(seconds=600))
    assert story.row().failure_code == "deadline"
    story.fake.clear_faults()
    story.until_clean()


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        ({"pull_error": "manifest unknown"}, "image_not_found"),
        ({"pull_error": "401 Unauthorized"}, "image_forbidden"),
        ({"never_ready": True, "ends_seconds": 0.0, "exit_code": 1}, "crashed"),
        ({"never_ready": True, "ends_seconds": 0.0, "oom": True}, "oom"),
    ],
)
def test_what_is_final_ends_the_start_at_once(
    story: Story, plan: dict[str, Any], code: str
) -> None:
    story.fake.plan(**plan)
    story.start()
    server = story.until("failed")
    assert server.failure_code == code
    assert story.session().message == server.failure_message
    story.until_clean()
    assert story.objects() == []
    assert not Charge.objects.exists()


def test_a_crash_says_why_in_its_last_words(story: Story) -> None:
    log = "starting\n\x1b[31m<b>no\0 luck</b> token=4b7f9c\nNo space left on device\n"
    story.fake.plan(ends_seconds=0.3, exit_code=1, log=log)
    story.ready()
    story.fake.wait_for(lambda: story.pod()["status"]["phase"] == "Failed")
    listing.look(at=story.clock)
    story.sweep()
    story.until_clean()
    said = (
        "The server ended with exit code 1: there is no room left for its files. Its last words: "
        "“starting / <b>no luck</b> token=… / No space left on device”. "
        "Make room in your home, or ask for more, and start it again."
    )
    session = story.session()
    assert (session.end_reason, session.exit_code, session.message) == ("crashed", 1, said)
    assert HubEvent.objects.filter(type="pod.ended").count() == 1, "whoever saw it"
    assert session.user is not None
    browser = WebClient()
    browser.force_login(session.user)
    page = browser.get(f"/sessions/{session.number}/").content.decode()
    assert "crashed: The server ended" in page
    assert "&lt;b&gt;no luck&lt;/b&gt;" in page


def test_a_server_that_no_node_takes_waits_and_says_for_what(story: Story) -> None:
    Session.objects.update(cpu_millicores=1000)
    story.fake.plan(pull_seconds=0)
    grant = story.session().grant
    assert grant is not None
    grant["granted"]["resources"]["cpu_millicores"] = 100_000
    Session.objects.update(grant=grant)
    story.start()
    for _ in range(20):
        story.follow()
        if "no_cpu" in story.codes():
            break
    assert story.row().state == "starting"
    story.fake.add_node("big", cpu="128")
    assert story.until("ready").node == "big"


def test_a_server_that_is_killed_for_memory_ends_with_that_reason(story: Story) -> None:
    story.ready()
    story.fake.crash("lsp", story.row().name, 137, "OOMKilled")
    story.sweep()
    server = story.row()
    assert (server.state, server.failure_code, server.exit_code) == ("stopping", "oom", 137)
    story.until_clean()
    assert story.row().state == "gone"
    session = story.session()
    assert (session.end_reason, session.exit_code) == ("oom", 137)


def test_a_pod_that_somebody_removed_ends_the_session(story: Story) -> None:
    server = story.ready()
    Client.of(cluster()).delete("Pod", server.name, "lsp", grace_seconds=0)
    story.fake.wait_for(lambda: not story.fake.pods("lsp"))
    story.sweep()
    assert story.row().failure_code == "pod_gone"
    story.until_clean()
    assert story.objects() == []


def test_stopped_while_it_starts_nothing_is_left(story: Story) -> None:
    story.fake.plan(never_ready=True)
    story.start()
    ask_to_stop(story)
    story.until_clean()
    assert (story.row().state, story.objects()) == ("gone", [])
    assert story.session().message == "Stopped before it was ready."


def test_stopped_before_it_was_started_nothing_is_made(story: Story) -> None:
    ask_to_stop(story)
    story.start()
    story.until_clean()
    assert story.objects() == []


def test_a_stop_does_not_lie(story: Story) -> None:
    story.fake.plan(kill_seconds=60)
    story.ready()
    ask_to_stop(story)
    assert story.stop() is not None
    assert (story.row().state, story.row().cleaned_at) == ("stopping", None)
    story.stop(later=timedelta(seconds=61))
    assert story.row().cleaned_at is None
    assert "not_gone" in story.codes()
    assert Alert.objects.get().kind == Alert.Kind.NOT_GONE


def test_a_stranger_of_the_same_name_is_left_alone(story: Story) -> None:
    story.start()
    server = story.row()
    ask_to_stop(story)
    story.until_clean()
    stranger = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": server.name, "namespace": "lsp"},
    }
    Client.of(cluster()).create(stranger)
    story.sweep()
    assert story.objects() == ["secrets"]


def test_a_foreign_object_in_the_way_fails_the_start(story: Story) -> None:
    story.fake.fault("dropped", verb="create", resource="pods")
    story.start()
    story.fake.store.update(core("secrets"), "lsp", story.row().name, _of_somebody_else)
    story.start(later=2 * SECOND)
    assert story.row().failure_code == "name_taken"


def test_what_a_lost_request_made_after_the_end_is_removed(story: Story) -> None:
    story.start()
    pod = story.pod()
    ask_to_stop(story)
    story.until_clean()
    about = {name: pod["metadata"][name] for name in ("name", "namespace", "labels", "annotations")}
    late = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": pod["spec"]}
    Client.of(cluster()).create(late)
    assert story.sweep() >= 1
    story.fake.wait_for(lambda: not story.fake.pods("lsp"))


def test_pods_of_unknown_sessions_are_reported_and_left_alone(story: Story) -> None:
    story.start()
    pod = story.pod()
    ask_to_stop(story)
    story.until_clean()
    notes = pod["metadata"]["annotations"] | {"lsp.portal/session": str(UUID(int=7))}
    about = {"name": "lsp-stray", "namespace": "lsp", "annotations": notes}
    about["labels"] = pod["metadata"]["labels"]
    client = Client.of(cluster())
    client.create({"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": pod["spec"]})
    story.sweep()
    alert = Alert.objects.get(kind=Alert.Kind.STRAY_OBJECT)
    assert "lsp-stray in lsp" in alert.detail
    assert story.fake.pod("lsp", "lsp-stray") is not None
    client.delete("Pod", "lsp-stray", "lsp", grace_seconds=0)
    story.fake.wait_for(lambda: not story.fake.pods("lsp"))
    story.sweep()
    alert.refresh_from_db()
    assert alert.resolved_at is not None


def test_a_server_whose_session_has_ended_is_stopped(story: Story) -> None:
    story.ready()
    Session.objects.update(ended_at=story.clock, end_source="stop", stopped_at=story.clock)
    story.sweep()
    assert story.row().desired == "stopped"
    story.until_clean()
    assert story.objects() == []


def test_a_row_that_changed_since_the_sweep_began_is_not_touched(story: Story) -> None:
    story.start()
    Server.objects.update(changed_at=story.clock + timedelta(hours=1))
    name = story.row().name
    Client.of(cluster()).delete("Pod", name, "lsp", grace_seconds=0)
    story.sweep()
    assert story.row().state == "starting"


def test_an_image_without_a_reference_is_said(story: Story) -> None:
    grant = story.session().grant
    assert grant is not None
    grant["granted"]["image_reference"] = ""
    Session.objects.update(grant=grant)
    story.start()
    assert "has no reference" in story.row().failure_message


def test_a_portal_without_a_cluster_says_so(story: Story, settings: Any) -> None:
    settings.KUBECONFIG = "/nowhere"
    story.start()
    assert story.row().failure_code == "not_configured"


def test_the_namespace_quota_is_explained(story: Story) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": "lsp"},
        "spec": {"hard": {"pods": "0"}},
    }
    story.fake.store.create(core("resourcequotas"), "lsp", quota)
    story.start()
    assert story.row().failure_code == "namespace_quota"
    story.until_clean()
    assert story.objects() == []


def _of_somebody_else(thing: Object) -> Object:
    annotations = thing["metadata"]["annotations"] | {"lsp.portal/session": "another"}
    return {**thing, "metadata": thing["metadata"] | {"annotations": annotations}}
