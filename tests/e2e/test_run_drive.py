"""`make run MODE=drive` without a cluster: the portal runs servers in a pretended one."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.demo.layout import HOST
from tests.e2e.platform import Platform, wait_until

pytestmark = [pytest.mark.hub, pytest.mark.browser]
PATIENCE = 180_000  # milliseconds, on a busy machine
UP = ["Granted", "Asked for", "has room", "is being fetched", "is on node", "starts", "is ready"]


@pytest.fixture
def driving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One for each test, since plans for pods stay."""
    with socket.create_server((HOST, 0)) as probe:
        port = str(probe.getsockname()[1])
    platform = Platform(tmp_path_factory.mktemp("driving"), MODE="drive", CLUSTER_PORT=port)
    try:
        yield platform.start()
    finally:
        platform.stop()


@pytest.fixture
def bob(browser: Browser, driving: Platform) -> Page:
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(driving.portal_url)
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.get_by_role("button", name=re.compile(r"\bbob,")).click()
    page.wait_for_url(f"{driving.portal_url}/**")
    return page


def start(page: Page, driving: Platform) -> None:
    page.goto(f"{driving.portal_url}/my/")
    page.get_by_label("Group").select_option("transients")
    page.get_by_label("Size").select_option("tiny")
    page.get_by_role("button", name="Start").click()


def expect_heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", name=text)).to_be_visible(timeout=PATIENCE)


def plan(driving: Platform, **course: str) -> None:
    """What becomes of pods from now on."""
    url = f"http://{HOST}:{driving.more['CLUSTER_PORT']}/fake/plan"
    body = json.dumps(course).encode()
    urllib.request.urlopen(url, data=body, timeout=10).close()  # our own address


def test_bob_watches_his_server_start_works_in_it_and_stops_it(
    driving: Platform, bob: Page
) -> None:
    start(bob, driving)
    expect_heading(bob, "Your server is ready")
    steps = bob.locator(".steps li").all_inner_texts()
    told = [next((word for word in UP if word in step), step) for step in steps]
    assert told == UP
    watched = bob.url
    bob.get_by_role("link", name="Open", exact=True).click()
    bob.wait_for_selector(".jp-Launcher")
    bob.goto(watched)
    bob.get_by_role("button", name="Stop", exact=True).click()
    bob.get_by_role("button", name="Stop it").click()
    expect_heading(bob, "Your server has ended")
    expect(bob.locator(".steps")).to_contain_text("nothing of it is left", timeout=PATIENCE)
    wait_until(lambda: not driving.processes("jupyterhub-singleuser"), 60, driving.said)


def test_bob_reads_why_there_is_no_server(driving: Platform, bob: Page) -> None:
    plan(driving, name="*", pull_error="manifest unknown")
    driving.rows("UPDATE hub_sessions_image SET reference = 'example.org/other:1' RETURNING 1")
    start(bob, driving)
    expect_heading(bob, "Your server did not start")
    expect(bob.get_by_role("alert")).to_contain_text("does not exist in its registry")
    bob.get_by_role("link", name="Choose and start again").click()
    expect(bob.get_by_role("button", name="Start")).to_be_visible()
