"""The plugin in a real JupyterHub that starts real processes."""

import json
import os
import re
import signal
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sessions.hub.parse import read_batch
from tests.hub_plugin.real_hub import RealHub, wait_until
from tests.hub_plugin.stub_portal import OPTIONS, StubPortal

pytestmark = pytest.mark.hub

NO = "The group transients has used 99.5 % of its core-hours <b>until</b> 1 October."
QUOTA = {"code": "quota_exhausted", "title": "No", "detail": NO}
SHOWN = "The group transients has used 99.5 % of its core-hours"

SITE_HOOKS = """
import pathlib
def note(line):
    with pathlib.Path("site.log").open("a") as log:
        log.write(line + "\\n")
async def site_pre_spawn(spawner):
    note("pre_spawn " + spawner.user.name + " " + spawner.environment["LSP_SESSION"])
    if spawner.user.name == "real":
        spawner.cmd = ["jupyterhub-singleuser"]
        spawner.http_timeout = 60
    if spawner.user.name == "broken":
        raise RuntimeError("the site's own trouble")
def site_post_stop(spawner):
    note("post_stop " + spawner.user.name)
def site_login(authenticator, handler, auth_model):
    note("login " + auth_model["name"])
    return auth_model
c.Spawner.pre_spawn_hook = site_pre_spawn
c.SimpleLocalProcessSpawner.post_stop_hook = site_post_stop
c.DummyAuthenticator.post_auth_hook = site_login
"""


@pytest.fixture(scope="module")
def module_portal() -> Iterator[StubPortal]:
    stub = StubPortal().start()
    yield stub
    stub.stop()


@pytest.fixture(scope="module")
def shared_hub(
    module_portal: StubPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealHub]:
    made = RealHub(tmp_path_factory.mktemp("hub"), module_portal, extra=SITE_HOOKS)
    try:
        yield made.start()
    finally:
        made.clean_up()


@pytest.fixture
def portal(module_portal: StubPortal) -> Iterator[StubPortal]:
    """The shared portal, well again and without memories of refusals."""
    yield module_portal
    module_portal.environment = {}
    module_portal.decide = lambda wish: None
    module_portal.options = lambda user: (200, {"user": user, **OPTIONS})
    assert module_portal.breaches == []


@pytest.fixture
def hub(shared_hub: RealHub, portal: StubPortal) -> RealHub:
    return shared_hub


def ready(portal: StubPortal, user: str, server: str = "") -> str:
    """The session of a server that became ready."""
    return str(portal.wait_for("session.ready", 20, user=user, server=server)["session"])


def test_the_hub_says_that_it_started_and_what_runs(hub: RealHub, portal: StubPortal) -> None:
    started = portal.wait_for("hub.started")
    assert re.match(r"[56]\.", started["data"]["version"])
    snapshot = portal.wait_for("hub.snapshot")
    assert snapshot["data"]["sessions"] == []
    assert started["seq"] < snapshot["seq"]


def test_a_server_started_by_form_and_stopped_by_its_user(hub: RealHub, portal: StubPortal) -> None:
    alice = hub.browser("alice")
    login = portal.wait_for("user.login", user="alice")
    assert login["data"]["remote_ip"] == "127.0.0.1"
    page = alice.get("spawn").text
    assert "12.5 core-hours left" in page
    assert "closed: The quota is used up" in page
    assert alice.spawn(image="stable", size="tiny", group="transients").ok

    session = ready(portal, "alice")
    requested = portal.wait_for("session.requested", user="alice")
    assert requested["session"] == session
    assert requested["data"] == {
        "group": "transients",
        "image": "stable",
        "size": "tiny",
        "resources": {"cpu_millicores": 500, "memory_mib": 1024, "gpus": 0},
        "actor": "alice",
        "checked": True,
    }
    wish = next(wish for wish in portal.launches if wish["session"] == session)
    assert wish == {
        "session": session,
        "user": "alice",
        "server": "",
        "actor": "alice",
        "image": "stable",
        "size": "tiny",
        "group": "transients",
    }
    told = lab_environment(hub, session)
    assert told["LSP_SESSION"] == session
    assert told["LSP_TOKEN"].startswith("token-")
    assert (told["CPU_LIMIT"], told["MEM_LIMIT"]) == ("0.5", str(2**30))
    assert told["LAB_DIR"]

    stop(alice)
    stopped = portal.wait_for("session.stopped", session=session)
    assert stopped["data"] == {"reason": "user", "actor": "alice"}
    times = [event["time"] for event in (requested, stopped)]
    assert times == sorted(times)


def lab_environment(hub: RealHub, session: str) -> dict[str, str]:
    pid = hub.lab_pid(session)
    lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(line.split("=", 1) for line in lines if line)


def stop(browser: Any, server: str = "") -> None:
    target = f"servers/{server}" if server else "server"
    xsrf = browser.session.cookies.get("_xsrf", path="/hub/")
    answer = browser.session.delete(
        f"{browser.hub.url}/api/users/{browser.user}/{target}",
        headers={"X-XSRFToken": xsrf, "Referer": browser.hub.url},
        params={"_xsrf": xsrf},
        timeout=30,
    )
    assert answer.status_code in (202, 204), answer.text


def test_the_sites_own_hooks_are_called(hub: RealHub, portal: StubPortal) -> None:
    site = hub.browser("site")
    site.spawn()
    session = ready(portal, "site")
    stop(site)
    portal.wait_for("session.stopped", user="site")
    noted = (hub.home / "site.log").read_text().splitlines()
    for line in ("login site", f"pre_spawn site {session}", "post_stop site"):
        assert line in noted


def test_a_refusal_is_read_on_every_page(hub: RealHub, portal: StubPortal) -> None:
    portal.decide = lambda wish: (403, QUOTA)
    bob = hub.browser("bob")
    form = bob.spawn(size="tiny")
    assert form.status_code == 403
    assert SHOWN in form.text
    assert "<b>until</b>" not in form.text
    assert 'name="size"' in form.text

    for page in ("spawn-pending/bob", "user/bob/"):
        assert SHOWN in bob.get(page).text
    answer = hub.api("POST", "users/bob/server", json={"size": "tiny"})
    assert answer.status_code == 403
    assert SHOWN in answer.json()["message"]
    assert portal.of_type("session.requested", user="bob") == []
    assert portal.of_type("session.failed", user="bob") == []


def test_a_slow_refusal_is_read_in_the_progress_too(hub: RealHub, portal: StubPortal) -> None:
    eve = hub.browser("eve")
    portal.decide = lambda wish: (403, QUOTA)
    portal.delay = 1.5  # JupyterHub waits one second before it shows the pending page
    answer = eve.spawn(size="tiny")
    progress = eve.get("api/users/eve/server/progress").text
    portal.delay = 0.0
    assert "spawn-pending" in answer.url
    assert SHOWN in progress
    assert SHOWN in eve.get("spawn-pending/eve").text


def test_a_refusal_never_counts_against_the_hub(hub: RealHub, portal: StubPortal) -> None:
    hub.browser("carol")
    for status, code in [(403, "too_many_sessions"), (404, "unknown_user"), (409, "ended")] * 3:
        portal.decide = lambda wish, s=status, c=code: (s, {"code": c, "detail": NO})  # type: ignore[misc]
        answer = hub.api("POST", "users/carol/server")
        assert answer.status_code == status
        assert SHOWN in answer.json()["message"]
    assert "consecutive spawns failed" not in hub.log()
    assert hub.is_up()


def test_the_spawn_page_says_what_a_start_costs_and_begins_with_the_last_choice(
    hub: RealHub, portal: StubPortal
) -> None:
    size = {"name": "tiny", "why_not": None, "outlook": "0.5 core-hours per hour."}
    group = OPTIONS["groups"][0] | {"outlook": "It runs out on 14 March 2026.", "sizes": [size]}
    last = {"group": "transients", "image": "stable", "size": "tiny"}
    ahead = OPTIONS | {"groups": [group], "last_choice": last}
    portal.options = lambda user: (200, {"user": user, **ahead})
    page = hub.browser("grace").get("spawn").text
    assert "<strong>Transients.</strong> It runs out on 14 March 2026." in page
    assert "<strong>Tiny:</strong> 0.5 core-hours per hour." in page
    assert re.search(r'value="tiny"[^>]* checked', page)


def test_a_person_who_may_start_nothing_reads_why(hub: RealHub, portal: StubPortal) -> None:
    portal.options = lambda user: (
        403,
        {"code": "not_registered", "detail": "Please register at the portal & wait."},
    )
    page = hub.browser("frank").get("spawn").text
    assert "Please register at the portal &amp; wait." in page
    assert 'name="size"' not in page


def test_a_link_starts_no_server(hub: RealHub, portal: StubPortal) -> None:
    gina = hub.browser("gina")
    for link in ("spawn?opt-size=small", "spawn?size=small", "spawn?session=" + str(uuid.uuid4())):
        answer = gina.get(link)
        assert answer.status_code == 400
        assert "Servers are not started by a link" in answer.text
        assert 'name="size"' in answer.text
    assert [wish for wish in portal.launches if wish["user"] == "gina"] == []


def test_options_of_any_shape_are_refused_before_the_portal_is_asked(
    hub: RealHub, portal: StubPortal
) -> None:
    hub.browser("henry")
    for options in ({"size": {"cpu": 64}}, {"group": "../x"}, {"session": "1"}, {"image": 7}):
        answer = hub.api("POST", "users/henry/server", json=options)
        assert answer.status_code == 400
        assert answer.json()["message"].endswith(".")
    assert [wish for wish in portal.launches if wish["user"] == "henry"] == []


def test_only_what_is_known_is_kept_of_options(hub: RealHub, portal: StubPortal) -> None:
    hub.browser("iris")
    session = str(uuid.uuid4())
    sent = {"size": "small", "session": session, "_xsrf": "2|x", "evil": {"a": 1}}
    assert hub.api("POST", "users/iris/server", json=sent).status_code in (201, 202)
    assert ready(portal, "iris") == session
    model = hub.api("GET", "users/iris").json()["servers"][""]
    assert model["user_options"] == {"size": "small"}
    hub.api("DELETE", "users/iris/server")
    portal.wait_for("session.stopped", session=session)
    # Without options JupyterHub takes the last ones: the same size, but not the same session.
    assert hub.api("POST", "users/iris/server").status_code in (201, 202)
    wish = portal.launches[-1]
    assert (wish["size"], wish["session"] == session) == ("small", False)
    wait_until(lambda: len(portal.of_type("session.ready", user="iris")) == 2)
    hub.api("DELETE", "users/iris/server")
    portal.wait_for("session.stopped", count=2, user="iris")


def test_the_portal_starts_lists_and_stops_for_a_person(hub: RealHub, portal: StubPortal) -> None:
    hub.browser("jane")
    session = str(uuid.uuid4())
    for_jane = {"X-LSP-Actor": "jane"}
    hub.api("POST", "users/jane/server", json={"session": session}, headers=for_jane)
    assert ready(portal, "jane") == session
    assert portal.wait_for("session.requested", user="jane")["data"]["actor"] == "jane"
    listed = hub.api("GET", "users?state=active")
    assert "jane" in {user["name"] for user in listed.json()}
    by_dora = {"X-LSP-Actor": "dora", "X-LSP-Reason": "quota"}
    hub.api("DELETE", "users/jane/server", headers=by_dora)
    stopped = portal.wait_for("session.stopped", session=session)
    assert stopped["data"] == {"reason": "quota", "actor": "dora"}
    assert hub.api("DELETE", "users/jane").status_code == 403


def test_the_culler_and_an_administrator_are_told_apart(hub: RealHub, portal: StubPortal) -> None:
    for user in ("kate", "liam"):
        hub.browser(user)
        hub.api("POST", f"users/{user}/server")
        ready(portal, user)
    hub.api("DELETE", "users/kate/server", who="culler")
    culled = portal.wait_for("session.stopped", user="kate")
    assert culled["data"] == {"reason": "culled", "actor": "idle-culler"}
    dora = hub.browser("dora")
    dora.get("admin")
    xsrf = dora.session.cookies.get("_xsrf", path="/hub/")
    dora.session.delete(f"{hub.url}/api/users/liam/server", params={"_xsrf": xsrf}, timeout=30)
    stopped = portal.wait_for("session.stopped", user="liam")
    assert stopped["data"] == {"reason": "admin", "actor": "dora"}


def test_named_servers_are_sessions_of_their_own(hub: RealHub, portal: StubPortal) -> None:
    mia = hub.browser("mia")
    mia.spawn()
    mia.spawn("second", size="small")
    assert ready(portal, "mia") != ready(portal, "mia", "second")
    stop(mia, "second")
    portal.wait_for("session.stopped", user="mia", server="second")
    assert portal.of_type("session.stopped", user="mia", server="") == []
    stop(mia)
    portal.wait_for("session.stopped", user="mia", server="")


def test_a_crash_is_recorded_with_its_exit_code(hub: RealHub, portal: StubPortal) -> None:
    hub.browser("nina")
    hub.api("POST", "users/nina/server")
    session = ready(portal, "nina")
    os.kill(hub.lab_pid(session), signal.SIGKILL)
    stopped = portal.wait_for("session.stopped", session=session)
    assert stopped["data"] == {"reason": "crashed", "exit_code": 137}


def test_a_start_that_fails_is_no_stopped_session(hub: RealHub, portal: StubPortal) -> None:
    hub.browser("olga")
    portal.environment = {"LAB_EXIT": "3"}
    hub.api("POST", "users/olga/server")
    failed = portal.wait_for("session.failed", 30, user="olga")
    assert failed["data"]["reason"] == "crashed"
    assert failed["data"]["exit_code"] == 3
    assert portal.of_type("session.ready", user="olga") == []


def test_a_start_that_is_given_up_frees_the_grant(hub: RealHub, portal: StubPortal) -> None:
    hub.browser("uma")
    portal.environment = {"LAB_SLEEP": "60"}
    with ThreadPoolExecutor() as pool:
        started = pool.submit(hub.api, "POST", "users/uma/server")
        session = portal.wait_for("session.requested", user="uma")["session"]
        stopped = hub.api("DELETE", "users/uma/server")
        started.result()
    failed = portal.wait_for("session.failed", 20, session=session)
    assert failed["data"]["reason"] in {"user", "admin", "hub"}, stopped.text


def test_a_hook_of_the_site_that_fails_frees_the_grant(hub: RealHub, portal: StubPortal) -> None:
    hub.browser("broken")
    hub.api("POST", "users/broken/server")
    failed = portal.wait_for("session.failed", user="broken")
    assert "the site's own trouble" in failed["data"]["message"]


def test_a_real_single_user_server_becomes_ready_and_stops(
    hub: RealHub, portal: StubPortal
) -> None:
    real = hub.browser("real")
    real.spawn()
    portal.wait_for("session.ready", 40, user="real")
    page = real.session.get(f"http://127.0.0.1:{hub.port}/user/real/lab", timeout=30)
    assert page.ok
    assert "jupyter-config-data" in page.text
    stop(real)
    assert portal.wait_for("session.stopped", user="real")["data"]["reason"] == "user"


def test_without_portal_servers_start_unchecked_and_are_told_later(
    hub: RealHub, portal: StubPortal
) -> None:
    pia = hub.browser("pia")
    assert "core-hours left" in pia.get("spawn").text
    portal.stop()
    try:
        page = pia.get("spawn").text
        assert "The portal cannot be reached. These are the choices of 20" in page
        assert "12.5 core-hours left" in page
        assert pia.spawn(size="small", group="transients").ok
        quin = hub.browser("quin")
        assert "nothing to choose from" in quin.get("spawn").text
        assert quin.spawn().ok
        wait_until(lambda: len(list((hub.home / "labs").iterdir())) >= 2)
    finally:
        portal.start()
    session = str(portal.wait_for("session.ready", 40, user="pia")["session"])
    requested = portal.wait_for("session.requested", session=session)
    assert requested["data"] | {"image": "stable"} == {
        "group": "transients",
        "image": "stable",
        "size": "small",
        "resources": {"cpu_millicores": 1000, "memory_mib": 2048, "gpus": 0},
        "actor": "pia",
        "checked": False,
    }
    assert portal.wait_for("session.requested", user="quin")["data"]["group"] == "unknown"
    for browser in (pia, quin):
        stop(browser)
        portal.wait_for("session.stopped", user=browser.user)


def test_events_come_in_order_and_the_portals_own_reader_takes_them(
    hub: RealHub, portal: StubPortal
) -> None:
    portal.wait_for("hub.snapshot")
    events = list(portal.events)
    numbers = [event["seq"] for event in events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len({event["epoch"] for event in events}) == 1
    batch = read_batch(json.dumps({"events": events}).encode(), at=datetime.now(UTC))
    assert batch.rejected == []
