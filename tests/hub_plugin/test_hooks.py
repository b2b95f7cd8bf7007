"""No hook raises anything but a refusal, whatever it is given and whatever is broken."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.web import HTTPError

from lsp_hub import hooks
from lsp_hub.delivery import Delivery
from lsp_hub.events import utc_now
from lsp_hub.outbox import Outbox
from lsp_hub.portal import Portal
from lsp_hub.runtime import Runtime, Settings
from lsp_hub.signing import secret_key
from lsp_hub.snapshots import adopt, close_lost, snapshot
from lsp_hub.store import READY, REQUESTED, Key, Seat
from tests.hub_plugin.loops import run
from tests.hub_plugin.real_hub import free_ports
from tests.hub_plugin.stub_portal import SECRET, StubPortal

LOG = logging.getLogger("tests.hooks")
SINCE = "2026-05-01T08:00:00Z"
SESSION = "0a4cd8f1-41a7-4bd5-9bd7-d5fbdd58e4b1"


class Broken:
    """Something of the hub that is not as the plugin expects it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name} today")


class ASpawner:
    """As much of a spawner as the hooks touch."""

    def __init__(self, name: str = "", pending: str | None = None) -> None:
        self.user = SimpleNamespace(name="alice")
        self.name = name
        self.pending = pending
        self.ready = pending is None
        self.active = True
        self.handler = None
        self.environment: dict[str, str] = {"SITE": "1"}
        self.orm_spawner = SimpleNamespace(user_options=None, state=None, started=None)
        self.cpu_limit: float | None = None
        self.mem_limit: int | None = None

    def has_trait(self, name: str) -> bool:
        return False


def runtime_with(tmp_path: Path, address: str, on_outage: str) -> Runtime:
    settings = Settings(address, "demo", on_outage, 1.0, 1.0, 300.0, "", "gpu", frozenset())
    portal = Portal(address, "demo", [secret_key(SECRET)])
    outbox = Outbox(str(tmp_path / "outbox.sqlite"), LOG)
    return Runtime(settings, portal, outbox, Delivery(outbox, portal, LOG), LOG, started=True)


@pytest.fixture
def nowhere() -> str:
    return f"http://127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture(params=["allow", "refuse"])
def runtime(request: pytest.FixtureRequest, tmp_path: Path, nowhere: str) -> Iterator[Runtime]:
    made = runtime_with(tmp_path, nowhere, request.param)
    yield made
    made.outbox.close()


def queued(runtime: Runtime) -> list[str]:
    return [event.body for event in run(runtime.outbox.oldest_events())]


def test_a_login_goes_on_when_its_record_fails(runtime: Runtime) -> None:
    hook = hooks.make_post_auth_hook(runtime, None)
    for model in ({"no": "name"}, {"name": "alice", "groups": 7}, {"name": "alice"}):
        assert run(hook(None, Broken(), model)) is model


def test_a_login_that_the_site_refuses_is_none(runtime: Runtime) -> None:
    hook = hooks.make_post_auth_hook(runtime, lambda *args: None)
    assert run(hook(None, None, {"name": "alice"})) is None
    assert queued(runtime) == []


def test_the_form_is_never_empty_and_never_an_error(runtime: Runtime) -> None:
    form = hooks.make_options_form(runtime, "<p>the site's own</p>")
    for spawner in (ASpawner(), ASpawner("named")):
        page = run(form(spawner))
        assert "The portal cannot be reached" in page
        assert page.endswith("<p>the site's own</p>")


def test_a_broken_spawner_is_no_error_of_the_form(runtime: Runtime) -> None:
    spawner = ASpawner()
    spawner.orm_spawner = Broken()  # type: ignore[assignment]  # that is the point
    assert "cannot be reached" in run(hooks.make_options_form(runtime, None)(spawner))


def test_a_bug_in_the_decision_follows_the_sites_choice(runtime: Runtime) -> None:
    called: list[Any] = []
    hook = hooks.make_pre_spawn_hook(runtime, called.append)
    spawner = ASpawner()
    spawner.environment = Broken()  # type: ignore[assignment]  # that is the point
    if runtime.outage_allows:
        run(hook(spawner))
        assert called == [spawner]
    else:
        with pytest.raises(HTTPError) as caught:
            run(hook(spawner))
        assert caught.value.status_code == 403
        assert "cannot be reached" in caught.value.jupyterhub_message  # type: ignore[attr-defined]
        assert called == []


def test_a_start_leaves_what_the_site_put_into_the_environment(
    portal: StubPortal, tmp_path: Path
) -> None:
    runtime = runtime_with(tmp_path, portal.address, "refuse")
    spawner = ASpawner()
    run(hooks.make_pre_spawn_hook(runtime, None)(spawner))
    assert spawner.environment["SITE"] == "1"
    assert spawner.environment["LSP_SESSION"] == portal.launches[0]["session"]
    assert (spawner.cpu_limit, spawner.mem_limit) == (0.5, 2**30)
    runtime.outbox.close()


@pytest.mark.parametrize(
    "said",
    [
        {"action": "start"},
        {"action": "start", "username": ["alice"], "servername": ""},
        {"action": "stop", "username": "alice", "servername": ""},
        {"action": "start", "username": "nobody", "servername": None},
        "start",
        None,
    ],
)
def test_the_event_log_never_hears_us_raise(tmp_path: Path, nowhere: str, said: Any) -> None:
    runtime = runtime_with(tmp_path, nowhere, "allow")
    handler = hooks.ReadyHandler(runtime)
    handler.handle(logging.LogRecord("events", logging.INFO, "", 0, said, None, None))
    runtime.outbox.close()


def test_ready_is_recorded_once(runtime: Runtime) -> None:
    runtime.outbox.put(seat=Seat("alice", "", SESSION, REQUESTED, SINCE))
    for _ in range(2):
        hooks.record_ready(runtime, Key("alice", ""))
    assert len(queued(runtime)) == 1
    assert runtime.outbox.seats[Key("alice", "")].phase == READY


def test_an_end_that_cannot_be_recorded_still_reaches_the_sites_hook(runtime: Runtime) -> None:
    called: list[Any] = []
    run(hooks.make_post_stop_hook(runtime, called.append)(Broken()))
    assert len(called) == 1


def test_the_site_keeps_reading_its_own_options() -> None:
    def site_form(form_data: dict[str, list[str]]) -> dict[str, str]:
        return {"course": form_data["course"][0]}

    seen = []
    read = hooks.make_options_from_form(site_form)
    options = read({"course": ["astro"], "size": ["tiny"], "_xsrf": ["x"]}, spawner=ASpawner())
    assert options == {"course": "astro", "size": "tiny"}
    apply = hooks.make_apply_user_options(
        lambda spawner, options: seen.append(options), keep_rest=True
    )
    spawner: Any = ASpawner()
    run(apply(spawner, {**options, "session": SESSION}))
    assert seen == [{"course": "astro"}]
    assert spawner.user_options == {"course": "astro", "size": "tiny"}
    assert spawner.lsp_wish.session == SESSION


@pytest.mark.parametrize(
    ("site", "kept"),
    [("simple", {"course": "astro"}), ("passthrough", {"course": ["astro"]}), (None, {})],
)
def test_the_hubs_own_ways_of_reading_a_form_go_on(site: str | None, kept: dict[str, Any]) -> None:
    read = hooks.make_options_from_form(site)
    assert read({"course": ["astro"], "_xsrf": ["x"]}, spawner=ASpawner()) == kept


def test_a_snapshot_comes_in_parts_and_leaves_out_what_is_over(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsp_hub.snapshots.PART", 2)
    for name in ("", "second"):
        runtime.outbox.put(seat=Seat("alice", name, SESSION, READY, SINCE))
    spawners = [
        ASpawner(),
        ASpawner("second", pending="stop"),
        ASpawner("unseen"),
        ASpawner("over", pending="stop"),
    ]
    parts = [json.loads(body)["data"] for body in snapshot(runtime, spawners, at=utc_now())]
    assert [(part["part"], part["parts"]) for part in parts] == [(1, 2), (2, 2)]
    assert len({part["snapshot"] for part in parts}) == 1
    lines = [line for part in parts for line in part["sessions"]]
    assert [(line["server"], line["session"], line["phase"]) for line in lines] == [
        ("", SESSION, "ready"),
        ("second", SESSION, "stopping"),
        ("unseen", None, "ready"),
    ]


def test_a_lost_outbox_learns_the_sessions_from_the_hubs_database(runtime: Runtime) -> None:
    running, gone = ASpawner(), Seat("bob", "", SESSION, REQUESTED, SINCE)
    running.orm_spawner.state = {"pid": 7, "lsp_session": SESSION}
    run(runtime.outbox.opened())
    runtime.outbox.put(seat=gone)
    adopt(runtime, [running, ASpawner("unseen")])
    close_lost(runtime, [running])
    assert {key: seat.session for key, seat in runtime.outbox.seats.items()} == {
        Key("alice", ""): SESSION
    }
    [lost] = [json.loads(body) for body in queued(runtime)]
    assert (lost["type"], lost["user"]) == ("session.failed", "bob")


def test_a_server_that_died_with_the_outbox_is_closed_all_the_same(runtime: Runtime) -> None:
    spawner = ASpawner()
    spawner.orm_spawner.state = {"lsp_session": SESSION}
    runtime.started = False
    run(hooks.make_post_stop_hook(runtime, None)(spawner))
    [stopped] = [json.loads(body) for body in queued(runtime)]
    assert (stopped["type"], stopped["session"]) == ("session.stopped", SESSION)
    assert stopped["data"] == {"reason": "unknown", "note": hooks.LOST}


def test_a_start_that_the_sites_limits_disturb_is_recorded(tmp_path: Path, nowhere: str) -> None:
    runtime, spawner = runtime_with(tmp_path, nowhere, "allow"), ASpawner()
    spawner.cpu_limit = lambda spawner: 2.0  # type: ignore[assignment]  # some spawners take it
    try:
        run(hooks.make_pre_spawn_hook(runtime, None)(spawner))
        assert [json.loads(body)["type"] for body in queued(runtime)] == ["session.requested"]
    finally:
        runtime.outbox.close()


def test_a_grant_that_the_spawner_cannot_take_is_recorded(tmp_path: Path) -> None:
    class Stubborn(ASpawner):
        def __setattr__(self, name: str, value: Any) -> None:
            if name == "cpu_guarantee":
                raise TypeError("no such amount")
            super().__setattr__(name, value)

    stub = StubPortal().start()
    runtime, spawner = runtime_with(tmp_path, stub.address, "allow"), Stubborn()
    try:
        run(hooks.make_pre_spawn_hook(runtime, None)(spawner))
        assert [json.loads(body)["type"] for body in queued(runtime)] == ["session.requested"]
    finally:
        runtime.outbox.close()
        stub.stop()


def test_who_shares_an_account_is_told_to_the_portal_and_forgotten(
    tmp_path: Path, portal: StubPortal
) -> None:
    runtime = runtime_with(tmp_path, portal.address, "allow")
    spawner = ASpawner()
    form = {"sub_name": ["Zoe"], "size": ["tiny"]}
    chosen = hooks.make_options_from_form(None)(form, spawner=spawner)
    run(started(runtime, spawner, chosen))
    assert portal.launches[-1]["sub_name"] == "Zoe"
    assert spawner.orm_spawner.user_options == {"size": "tiny"}
    runtime.outbox.close()


def test_who_shares_an_account_is_recorded_while_the_portal_is_away(
    tmp_path: Path, nowhere: str
) -> None:
    runtime = runtime_with(tmp_path, nowhere, "allow")
    run(started(runtime, ASpawner(), {"sub_name": "Zoe"}))
    [requested] = map(json.loads, queued(runtime))
    assert (requested["data"]["sub_name"], requested["data"]["checked"]) == ("Zoe", False)
    runtime.outbox.close()


async def started(runtime: Runtime, spawner: ASpawner, options: dict[str, Any]) -> None:
    await hooks.make_apply_user_options(None, keep_rest=False)(spawner, options)
    await hooks.make_pre_spawn_hook(runtime, None)(spawner)
