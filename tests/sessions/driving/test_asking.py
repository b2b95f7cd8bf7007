"""A hub asks the portal to run a server: once, whatever is repeated, and no secret lies open."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from sessions.driving import sealing, states
from sessions.driving.vocabulary import Reason
from sessions.models import Hub, Server, Session
from tests.sessions.launch.platform import HOUR, NOW, Platform, session_key

TOKEN = "a-token-that-only-the-server-may-know"
SECOND = timedelta(seconds=1)
PATH = f"sessions/{session_key(1)}/server"
MEMORY = Reason("no_memory", "No node has room.", "Wait.", is_final=True)


def body(**changes: Any) -> dict[str, Any]:
    content = {
        "command": ["jupyterhub-singleuser", "--port=8888"],
        "environment": {"JUPYTERHUB_API_TOKEN": TOKEN, "LSP_GROUP": "transients"},
        "port": 8888,
    }
    return content | changes


def ask(platform: Platform, *, at: datetime = NOW, **changes: Any) -> Any:
    with time_machine.travel(at, tick=False):
        return platform.send("POST", PATH, body(**changes))


def look(platform: Platform, *, at: datetime = NOW, after: int = 0) -> dict[str, Any]:
    with time_machine.travel(at, tick=False):
        answer = platform.send("GET", f"sessions/{session_key(1)}?after={after}")
    content: dict[str, Any] = answer.json()
    return content


def delete(platform: Platform, *, at: datetime = NOW) -> int:
    with time_machine.travel(at, tick=False):
        return platform.send("DELETE", f"sessions/{session_key(1)}").status_code


def test_what_is_asked_is_a_row_with_its_deadline(platform: Platform, session: Session) -> None:
    answer = ask(platform)
    assert answer.status_code == 202
    assert answer.json()["state"] == "pending"
    server = Server.objects.get()
    assert (server.state, server.desired) == ("asked", "running")
    assert server.deadline_at == NOW + timedelta(seconds=600)
    assert server.command == ["jupyterhub-singleuser", "--port=8888"]


def test_the_token_is_sealed_and_wiped_once_the_cluster_has_it(
    platform: Platform, session: Session
) -> None:
    ask(platform)
    server = Server.objects.get()
    assert TOKEN.encode() not in bytes(server.sealed)
    assert sealing.unseal(bytes(server.sealed))["JUPYTERHUB_API_TOKEN"] == TOKEN
    assert states.mark_creating(server, at=NOW)
    assert states.mark_starting(server, pod_uid="u1", at=NOW)
    assert bytes(Server.objects.get().sealed) == b""


def test_a_token_sealed_under_another_key_is_not_read(
    platform: Platform, session: Session, settings: Any
) -> None:
    ask(platform)
    settings.SECRET_KEY = "another key"
    with pytest.raises(sealing.SealBroken):
        sealing.unseal(bytes(Server.objects.get().sealed))


def test_asked_again_it_is_the_same_server(platform: Platform, session: Session) -> None:
    assert [ask(platform, at=NOW + n * SECOND).status_code for n in range(3)] == [202] * 3
    assert Server.objects.get().asked_at == NOW
    assert [step["seq"] for step in look(platform)["progress"]] == [1, 2]


@pytest.mark.parametrize("changes", [{"port": 9999}, {"environment": {}}, {"command": ["lab"]}])
def test_other_content_is_a_conflict(
    platform: Platform, session: Session, changes: dict[str, Any]
) -> None:
    ask(platform)
    answer = ask(platform, **changes)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"command": []}, "command: must be a list"),
        ({"command": "lab"}, "command: must be a list"),
        ({"command": [7]}, "command[0]: must be a string"),
        ({"command": None}, "command: is missing"),
        ({"environment": {"A=B": "x"}}, "“A=B” is not the name of a variable"),
        ({"environment": {"A": 1}}, "environment.A: must be a string"),
        ({"environment": {"A": "x\0"}}, "environment.A: must not contain NUL"),
        ({"environment": {f"A{n}": "x" * 60_000 for n in range(9)}}, "at most 500000 bytes"),
        ({"port": 80}, "port: must be a number from 1024"),
        ({"port": True}, "port: must be a number"),
    ],
)
def test_what_is_wrong_with_a_wish_is_said(
    platform: Platform, session: Session, changes: dict[str, Any], said: str
) -> None:
    answer = ask(platform, **changes)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_a_hub_that_only_is_observed_gets_no_servers(platform: Platform, session: Session) -> None:
    Hub.objects.update(mode=Hub.Mode.OBSERVE)
    answer = ask(platform)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_driven")


def test_a_session_without_a_grant_gets_no_server(platform: Platform, session: Session) -> None:
    Session.objects.update(grant=None)
    assert ask(platform).json()["code"] == "not_granted"


@pytest.mark.parametrize(
    "values",
    [
        {"lease_until": NOW},
        {"stop_requested_at": NOW},
        {"ready_at": NOW, "ended_at": NOW, "end_source": "stop"},
    ],
)
def test_a_session_that_is_over_gets_no_server(
    platform: Platform, session: Session, values: dict[str, Any]
) -> None:
    Session.objects.update(**values)
    assert ask(platform).json()["code"] == "ended"


def test_a_session_of_another_hub_is_not_found(platform: Platform, session: Session) -> None:
    Session.objects.update(hub=Hub.objects.create(name="other", title="Another"))
    assert ask(platform).status_code == 404


def test_a_ready_server_says_where_it_is(platform: Platform, session: Session) -> None:
    ask(platform)
    server = Server.objects.get()
    states.mark_creating(server, at=NOW)
    states.mark_starting(server, pod_uid="u1", at=NOW)
    states.mark_ready(
        server, address="http://10.1.2.3:8888", node="n1", ready_at=NOW + 7 * SECOND, at=NOW
    )
    content = look(platform)
    assert (content["state"], content["server_url"]) == ("ready", "http://10.1.2.3:8888")
    assert content["progress"][-1]["message"] == "The server is ready after 7 s."
    assert look(platform, after=2)["progress"] == content["progress"][2:]


def test_a_start_that_fails_says_why_and_frees_its_hold(
    platform: Platform, session: Session
) -> None:
    ask(platform)
    states.fail(Server.objects.get(), MEMORY, at=NOW + SECOND)
    content = look(platform, at=NOW + SECOND)
    assert content["state"] == "failed"
    assert content["failure"]["code"] == "no_memory"
    assert content["failure"]["message"] == "No node has room. Wait."
    assert content["removed"] is False
    session.refresh_from_db()
    assert session.message == "No node has room. Wait."
    assert not Session.objects.holding(at=NOW + SECOND).exists()


def test_a_stop_is_not_over_before_everything_is_removed(
    platform: Platform, session: Session
) -> None:
    ask(platform)
    assert delete(platform, at=NOW + SECOND) == 202
    assert delete(platform, at=NOW + 2 * SECOND) == 202
    server = Server.objects.get()
    assert (server.state, server.stop_asked_at) == ("stopping", NOW + SECOND)
    assert look(platform)["state"] == "stopping"
    assert states.mark_clean(server, at=NOW + 3 * SECOND)
    assert delete(platform, at=NOW + 4 * SECOND) == 204
    assert look(platform, at=NOW + 4 * SECOND)["state"] == "failed"
    session.refresh_from_db()
    assert session.message == "Stopped before it was ready."


def test_a_hub_hears_that_nothing_is_left_before_it_has_told_the_end(
    platform: Platform, session: Session
) -> None:
    ask(platform)
    Session.objects.update(ready_at=NOW)
    assert delete(platform, at=NOW + SECOND) == 202
    assert states.mark_clean(Server.objects.get(), at=NOW + 2 * SECOND)
    assert delete(platform, at=NOW + 3 * SECOND) == 204
    assert look(platform, at=NOW + 3 * SECOND)["state"] == "ended"


def test_a_failed_start_is_asked_to_stop_until_nothing_is_left(
    platform: Platform, session: Session
) -> None:
    ask(platform)
    server = Server.objects.get()
    states.fail(server, MEMORY, at=NOW)
    assert delete(platform, at=NOW + SECOND) == 202
    states.mark_clean(server, at=NOW + 2 * SECOND)
    assert delete(platform, at=NOW + 3 * SECOND) == 204
    assert Server.objects.get().state == "failed"
    assert Session.objects.get().message == "No node has room. Wait."


def test_nothing_goes_back(platform: Platform, session: Session) -> None:
    ask(platform)
    server = Server.objects.get()
    states.stop(server, at=NOW)
    assert not states.mark_creating(server, at=NOW)
    assert not states.mark_starting(server, pod_uid="u", at=NOW)
    assert not states.mark_ready(server, address="a", node="n", ready_at=NOW, at=NOW)
    assert not states.fail(server, MEMORY, at=NOW)
    assert not states.end(server, MEMORY, at=NOW)
    assert Server.objects.get().state == "stopping"


def test_after_a_start_failed_the_same_wish_is_refused(
    platform: Platform, session: Session
) -> None:
    ask(platform)
    states.fail(Server.objects.get(), MEMORY, at=NOW)
    assert ask(platform).json()["code"] == "ended"


@pytest.mark.parametrize(
    "values",
    [
        {"state": "stopping"},
        {"state": "failed", "desired": "stopped"},
        {"state": "gone", "desired": "stopped"},
        {"state": "ready"},
    ],
)
def test_the_database_holds_the_states_together(
    platform: Platform, session: Session, values: dict[str, Any]
) -> None:
    ask(platform)
    with pytest.raises(IntegrityError), transaction.atomic():
        Server.objects.update(**values)


def test_each_look_at_a_session_asks_little(
    platform: Platform, session: Session, django_assert_max_num_queries: Any
) -> None:
    ask(platform)
    look(platform)
    with django_assert_max_num_queries(4):  # one is the test's own, for the secret
        look(platform, at=NOW + HOUR / 2)
