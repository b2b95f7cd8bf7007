"""The plugin in a real JupyterHub when things go wrong: outages, kill -9, a lost outbox."""

import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.hub_plugin.real_hub import RealHub, wait_until
from tests.hub_plugin.stub_portal import StubPortal

pytestmark = pytest.mark.hub

STATES = "SELECT state FROM spawners"

Make = Callable[..., RealHub]


@pytest.fixture
def make_hub(portal: StubPortal, tmp_path: Path) -> Iterator[Make]:
    made: list[RealHub] = []

    def make(**options: Any) -> RealHub:
        made.append(RealHub(tmp_path / f"hub{len(made)}", portal, **options))
        return made[-1].start()

    yield make
    for hub in made:
        hub.clean_up()


def start(hub: RealHub, portal: StubPortal, *users: str) -> dict[str, str]:
    """Start a server for each; their sessions."""
    for user in users:
        hub.browser(user)
        hub.api("POST", f"users/{user}/server")
    return {user: portal.wait_for("session.ready", 20, user=user)["session"] for user in users}


def sessions_of(snapshot: Any) -> dict[str, str | None]:
    return {line["user"]: line["session"] for line in snapshot["data"]["sessions"]}


def test_a_hub_killed_and_started_again_keeps_its_sessions(
    portal: StubPortal, make_hub: Make
) -> None:
    hub = make_hub()
    sessions = start(hub, portal, "alice", "bob", "carol")
    hub.kill()
    os.kill(hub.lab_pid(sessions["bob"]), signal.SIGKILL)
    hub.start()

    stopped = portal.wait_for("session.stopped", 20, session=sessions["bob"])
    assert stopped["data"] == {"reason": "unknown", "note": "found ended when the hub started"}
    snapshot = portal.wait_for("hub.snapshot", 20, count=2)
    assert sessions_of(snapshot) == {user: sessions[user] for user in ("alice", "carol")}
    assert {line["phase"] for line in snapshot["data"]["sessions"]} == {"ready"}
    assert len(portal.of_type("hub.started")) == 2
    hub.api("DELETE", "users/alice/server")
    portal.wait_for("session.stopped", session=sessions["alice"])
    assert len(portal.of_type("session.ready")) == 3

    # Should the outbox be lost, the hub's own database still has the session.
    with closing(sqlite3.connect(hub.home / "hub.sqlite")) as database:
        states = [json.loads(state or "{}") for (state,) in database.execute(STATES)]
    assert [state["lsp_session"] for state in states if state] == [sessions["carol"]]


def test_a_site_may_refuse_to_start_anything_without_portal(
    portal: StubPortal, make_hub: Make
) -> None:
    hub = make_hub(
        options='on_outage="refuse", launch_timeout=1.0, options_timeout=0.5',
        extra="import lsp_hub.outbox; lsp_hub.outbox.OPEN_SECONDS = 0.5",
        outbox="/proc/no/such/place.sqlite",  # and that does not stop it either
    )
    wait_until(lambda: "kept in memory only" in hub.log())
    alice = hub.browser("alice")
    portal.delay = 3.0
    assert "starts no server without asking it" in alice.get("spawn").text
    answer = hub.api("POST", "users/alice/server")
    assert answer.status_code == 403
    assert "starts no server without asking it" in answer.json()["message"]
    failed = portal.wait_for("session.failed", user="alice")
    assert failed["session"] == portal.launches[-1]["session"]
    assert failed["data"]["reason"] == "hub"

    portal.stop()
    answer = hub.api("POST", "users/alice/server")
    assert answer.status_code == 403
    portal.delay = 0.0
    portal.start()
    start(hub, portal, "alice")
    assert len(portal.of_type("session.failed")) == 1


def test_snapshots_come_again_and_a_hub_that_ends_its_servers_says_so(
    portal: StubPortal, make_hub: Make
) -> None:
    hub = make_hub(snapshot_interval=0.5)
    sessions = start(hub, portal, "alice", "bob")
    before = len(portal.of_type("hub.snapshot"))
    snapshot = portal.wait_for("hub.snapshot", 20, count=before + 2)
    assert sessions_of(snapshot) == sessions

    portal.stop()
    wait_until(lambda: "Portal away" in hub.log())
    os.kill(hub.lab_pid(sessions["alice"]), signal.SIGKILL)
    wait_until(lambda: "server stopped, with exit code" in hub.log())
    hub.end()
    waiting = outbox_of(hub)
    assert [event["type"] for event in waiting].count("hub.snapshot") <= 1
    ends = {e["session"]: e["data"] for e in waiting if e["type"] == "session.stopped"}
    assert ends == {
        sessions["alice"]: {"reason": "crashed", "exit_code": 137},
        sessions["bob"]: {"reason": "hub"},
    }


def outbox_of(hub: RealHub) -> list[dict[str, Any]]:
    """The events that wait for the next start of the hub."""
    with closing(sqlite3.connect(hub.home / "outbox.sqlite")) as outbox:
        rows = outbox.execute("SELECT body FROM event ORDER BY seq").fetchall()
    return [json.loads(body) for (body,) in rows]
