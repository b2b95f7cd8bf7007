"""A real hub that lets the portal run its servers."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.hub_plugin.real_hub import RealHub, wait_until
from tests.hub_plugin.stub_driver import Driven, OneLab, StubDriver
from tests.hub_plugin.stub_portal import StubPortal

pytestmark = pytest.mark.hub

# The spawner is named as a site names it; what is set for the simple one does not matter then.
DRIVEN = """
c.JupyterHub.spawner_class = "lsp_hub.PortalSpawner"
c.Spawner.cmd = ["jupyterhub-singleuser"]
c.Spawner.start_timeout = 30
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
c.PortalSpawner.look_seconds = 0.2
c.PortalSpawner.away_seconds = 3
"""


@pytest.fixture
def portal() -> Iterator[StubPortal]:
    stub = StubPortal().start()
    with OneLab() as lab:
        stub.driver = StubDriver(lab.address)
        yield stub
    stub.stop()
    assert stub.breaches + stub.driver.breaches == []


@pytest.fixture
def hub(portal: StubPortal, tmp_path: Path) -> Iterator[RealHub]:
    made = RealHub(
        tmp_path / "hub", portal, extra=DRIVEN, options='on_outage="refuse", create_users=True'
    )
    try:
        yield made.start()
    finally:
        made.clean_up()


def driver(portal: StubPortal) -> StubDriver:
    assert portal.driver is not None
    return portal.driver


def only(portal: StubPortal) -> Driven:
    [server] = driver(portal).servers.values()
    return server


def spawn(hub: RealHub, user: str, server: str = "") -> requests.Response:
    hub.api("POST", f"users/{user}")
    return hub.api("POST", f"users/{user}/servers/{server}" if server else f"users/{user}/server")


def servers(hub: RealHub, user: str) -> dict[str, Any]:
    found: dict[str, Any] = hub.api("GET", f"users/{user}").json()["servers"]
    return found


def is_ready(hub: RealHub, user: str, server: str = "") -> bool:
    return bool(servers(hub, user).get(server, {}).get("ready"))


def test_a_server_is_started_proxied_shown_and_stopped(hub: RealHub, portal: StubPortal) -> None:
    driver(portal).ready_seconds = 1.0
    driver(portal).stops_needed = 3
    assert spawn(hub, "bob").status_code in (201, 202)
    lines = hub.api("GET", "users/bob/server/progress", stream=True).text.splitlines()
    told = [json.loads(line[6:])["message"] for line in lines if line.startswith("data: ")]
    wait_until(lambda: is_ready(hub, "bob"), explain=hub.log)
    assert "The image is being fetched on node-1" in told
    wish = only(portal).wish
    assert (wish["command"], wish["port"]) == (["jupyterhub-singleuser", "--allow-root"], 8888)
    environment = wish["environment"]
    assert environment["JUPYTERHUB_API_TOKEN"]
    assert environment["JUPYTERHUB_SERVICE_URL"].startswith("http://0.0.0.0:8888/user/bob")
    assert environment["LSP_SESSION"] == portal.launches[0]["session"]
    assert "PATH" not in environment
    answer = requests.get(f"http://127.0.0.1:{hub.port}/user/bob/tree", timeout=5)
    assert answer.text == "/user/bob/tree"
    hub.api("DELETE", "users/bob/server")
    wait_until(lambda: not servers(hub, "bob"), explain=hub.log)
    assert only(portal).stops > 3
    portal.wait_for("session.stopped", user="bob")


def test_the_person_reads_why_a_start_failed(hub: RealHub, portal: StubPortal) -> None:
    why = "The image stable does not exist in its registry. Choose another image."
    driver(portal).failure = {"code": "image_not_found", "message": why, "exit_code": None}
    browser = hub.browser("bob")
    browser.spawn(group="transients")
    wait_until(lambda: why in browser.get("spawn-pending/bob").text, explain=hub.log)
    assert portal.wait_for("session.failed", user="bob")["data"]["message"].count(why)


def test_named_servers_are_servers_of_their_own(hub: RealHub, portal: StubPortal) -> None:
    for name in ("", "second"):
        spawn(hub, "bob", name)
    wait_until(lambda: is_ready(hub, "bob") and is_ready(hub, "bob", "second"), explain=hub.log)
    assert len(driver(portal).servers) == 2


def test_a_portal_that_goes_away_ends_nothing(hub: RealHub, portal: StubPortal) -> None:
    spawn(hub, "bob")
    wait_until(lambda: is_ready(hub, "bob"), explain=hub.log)
    driver(portal).away = True
    time.sleep(2.5)  # the hub polls every second
    assert is_ready(hub, "bob")
    hub.api("DELETE", "users/bob/server")
    time.sleep(1)
    assert servers(hub, "bob")[""]["pending"] == "stop", "it is not forgotten"
    driver(portal).away = False
    wait_until(lambda: not servers(hub, "bob"), explain=hub.log)
    assert only(portal).removed


def test_a_hub_that_restarts_knows_its_servers_though_the_portal_is_away(
    hub: RealHub, portal: StubPortal
) -> None:
    spawn(hub, "bob")
    wait_until(lambda: is_ready(hub, "bob"), explain=hub.log)
    hub.kill()
    driver(portal).away = True
    hub.start()
    assert is_ready(hub, "bob")
    driver(portal).away = False
    only(portal).failure = {"code": "oom", "message": "Out of memory.", "exit_code": 137}
    wait_until(lambda: not servers(hub, "bob"), explain=hub.log)


def test_a_start_that_is_cancelled_is_stopped_at_the_portal(
    hub: RealHub, portal: StubPortal
) -> None:
    driver(portal).ready_seconds = 60
    spawn(hub, "bob")
    wait_until(lambda: driver(portal).servers, explain=hub.log)
    hub.api("DELETE", "users/bob/server")
    wait_until(lambda: only(portal).removed, explain=hub.log)
    wait_until(lambda: not servers(hub, "bob"), explain=hub.log)
    portal.wait_for("session.failed", user="bob")
