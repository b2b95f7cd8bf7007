"""What the hub is told about one session, and its wish to stop it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from sessions import launch
from sessions.models import Hub, HubUserName, Session
from tests.documents import Documents
from tests.sessions.launch.platform import HOUR, NOW, Platform, session_key

MINUTE = timedelta(minutes=1)


@pytest.fixture
def granted(platform: Platform) -> Session:
    launch.grant(platform.hub, platform.ask(server="lab"), at=NOW)
    return Session.objects.get()


def look(platform: Platform, *, at: Any = NOW, query: str = "") -> dict[str, Any]:
    with time_machine.travel(at, tick=False):
        answer = platform.send("GET", f"sessions/{session_key(1)}{query}")
    assert answer.status_code == 200
    content: dict[str, Any] = answer.json()
    return content


def delete(platform: Platform, *, at: Any = NOW) -> int:
    with time_machine.travel(at, tick=False):
        return platform.send("DELETE", f"sessions/{session_key(1)}").status_code


def update(**values: Any) -> None:
    Session.objects.update(**values)


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({}, "pending"),
        ({"ready_at": NOW}, "ready"),
        ({"ready_at": NOW, "stop_requested_at": NOW}, "stopping"),
        ({"ready_at": NOW, "ended_at": NOW, "end_source": "stop"}, "ended"),
        ({"ended_at": NOW, "end_source": "stop"}, "failed"),
        ({"lease_until": NOW}, "failed"),
    ],
    ids=["granted", "ready", "asked to stop", "ended", "never ready", "lease over"],
)
def test_the_state_follows_from_the_record(
    platform: Platform, granted: Session, values: dict[str, Any], state: str
) -> None:
    update(**values)
    assert look(platform)["state"] == state


def test_the_whole_answer_of_an_ended_session(
    platform: Platform, granted: Session, documents: Documents
) -> None:
    update(
        requested_at=NOW + timedelta(seconds=1),
        ready_at=NOW + MINUTE,
        stop_requested_at=NOW + HOUR,
        ended_at=NOW + HOUR + MINUTE,
        end_source="stop",
        end_reason="user",
    )
    content = look(platform, at=NOW + 2 * HOUR)
    assert content.pop("number") == granted.number
    documents.expect_json("launch/session.json", content)


def test_only_the_steps_behind_the_cursor_are_told(platform: Platform, granted: Session) -> None:
    update(requested_at=NOW, ready_at=NOW + MINUTE)
    first = look(platform)["progress"]
    assert [step["seq"] for step in first] == [1, 2, 3]
    assert look(platform, query="?after=2")["progress"] == first[2:]
    assert look(platform, query="?after=3")["progress"] == []


def test_a_lease_that_ran_out_is_told(platform: Platform, granted: Session) -> None:
    last = look(platform, at=NOW + HOUR)["progress"][-1]
    assert last["message"] == "The server did not become ready in time"
    assert last["at"] == "2026-05-01T09:00:00Z"


def test_the_address_is_that_of_the_name_at_the_hub(platform: Platform) -> None:
    HubUserName.objects.create(hub=platform.hub, name="b@b/é", user=platform.bob)
    launch.grant(platform.hub, platform.ask(user="b@b/é", server=""), at=NOW)
    assert look(platform)["url"] == "https://hub.example.org/user/b@b%2F%C3%A9/"


def test_without_an_address_of_the_hub_there_is_none(platform: Platform, granted: Session) -> None:
    platform.hub.public_url = ""
    platform.hub.save(update_fields=["public_url"])
    assert look(platform)["url"] is None


def test_a_session_of_another_hub_is_not_found(platform: Platform, granted: Session) -> None:
    update(hub=Hub.objects.create(name="other", title="Another hub"))
    assert delete(platform) == 404


def test_the_wish_to_stop_is_noted_once(platform: Platform, granted: Session) -> None:
    update(ready_at=NOW)
    assert delete(platform, at=NOW + MINUTE) == 202
    assert delete(platform, at=NOW + 2 * MINUTE) == 202
    granted.refresh_from_db()
    assert granted.stop_requested_at == NOW + MINUTE
    assert look(platform)["state"] == "stopping"


@pytest.mark.parametrize(
    "values",
    [
        {"ready_at": NOW, "ended_at": NOW, "end_source": "stop"},
        {"ended_at": NOW, "end_source": "stop"},
        {"lease_until": NOW},
    ],
    ids=["ended", "failed", "lease over"],
)
def test_what_has_ended_need_not_stop(
    platform: Platform, granted: Session, values: dict[str, Any]
) -> None:
    update(**values)
    assert delete(platform) == 204
    granted.refresh_from_db()
    assert granted.stop_requested_at is None


def test_the_answer_to_a_grant_is_whole(platform: Platform, documents: Documents) -> None:
    content = platform.ask().content() | {"session": str(session_key(1))}
    with time_machine.travel(NOW, tick=False):
        answer = platform.send("POST", "sessions", content).json()
    assert answer.pop("number") == Session.objects.get().number
    documents.expect_json("launch/grant.json", answer)


def test_what_is_not_known_of_a_person_is_not_in_the_environment(platform: Platform) -> None:
    platform.bob.email = platform.bob.first_name = platform.bob.last_name = ""
    platform.bob.save(update_fields=["email", "first_name", "last_name"])
    content = platform.ask().content() | {"session": str(session_key(1))}
    with time_machine.travel(NOW, tick=False):
        answer = platform.send("POST", "sessions", content).json()
    names = set(answer["environment"])
    session = {"LSP_SESSION", "LSP_GROUP", "LSP_HUB", "LSP_PORTAL", "LSP_TOKEN"}
    assert names == session | {"LSP_UID", "LSP_GID", "LSP_GIDS"}
