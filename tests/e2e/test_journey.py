"""The main job, on a real JupyterHub and in a browser: sign in, start, work, stop, be counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.platform import Platform, wait_until

pytestmark = [pytest.mark.hub, pytest.mark.browser]

SOON = 5_000  # milliseconds in which what happened at the hub is on the portal's pages
START = 180_000  # milliseconds that a notebook server may take on a busy machine
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")

SignIn = Callable[[str], Page]


@pytest.fixture
def sign_in(browser: Browser, platform: Platform) -> SignIn:
    """Sign in on the portal's landing page, each person in a browser of their own."""

    def walk(name: str) -> Page:
        page = browser.new_context().new_page()
        page.goto(platform.portal_url)
        page.get_by_role("main").get_by_role("link", name="Sign in").click()
        page.get_by_role("button", name=re.compile(rf"\b{name},")).click()
        page.wait_for_url(f"{platform.portal_url}/**")
        return page

    return walk


@pytest.fixture(autouse=True)
def _nothing_runs_at_the_end(platform: Platform) -> Iterator[None]:
    yield
    if platform.has_server("bob"):
        platform.stop_notebook("bob")
        wait_until(lambda: not platform.has_server("bob"), 60, platform.said)


def wait_for_lab(page: Page, platform: Platform, name: str) -> None:
    """JupyterLab is there, and nobody was asked for a login on the way."""
    page.wait_for_url(f"{platform.hub_url}/user/{name}/**", timeout=START)
    page.wait_for_selector(".jp-Launcher", timeout=START)


def newest_row(page: Page) -> list[str]:
    """The cells of the newest session in the list."""
    return page.locator("table#sessions tbody tr").first.locator("th, td").all_inner_texts()


def moments(cells: list[str]) -> list[str]:
    """Requested, ready and ended, as the page shows them, in the order of time."""
    return sorted(MOMENT.findall("\n".join(cells)))


def test_bob_starts_a_notebook_on_the_portal_works_in_it_and_stops_it(
    platform: Platform, sign_in: SignIn, tmp_path: Path
) -> None:
    bob, alice, charlie = sign_in("bob"), sign_in("alice"), sign_in("charlie")
    start_on_the_portal(bob, platform)
    work(bob, platform)
    stop_on_the_portal(bob, platform)
    times = moments(newest_row(bob))
    assert len(times) == 3

    alice.goto(f"{platform.portal_url}/groups/transients/")
    expect(alice.locator("table#sessions tbody tr").first).to_contain_text(times[2], timeout=SOON)
    assert moments(newest_row(alice)) == times

    answer = charlie.goto(f"{platform.portal_url}/groups/transients/")
    assert answer is not None
    assert answer.status == 404
    assert_counted_and_exported(platform, tmp_path)


def start_on_the_portal(page: Page, platform: Platform) -> None:
    page.goto(f"{platform.portal_url}/my/")
    page.get_by_label("Group").select_option("transients")
    page.get_by_label("Size").select_option("tiny")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="Your server is")).to_be_visible(timeout=START)


def work(page: Page, platform: Platform) -> None:
    wait_until(lambda: platform.is_ready("bob"), 180, platform.said)
    expect(page.get_by_role("heading", name="Your server is ready")).to_be_visible(timeout=SOON)
    page.get_by_role("link", name="Open", exact=True).click()
    wait_for_lab(page, platform, "bob")


def stop_on_the_portal(page: Page, platform: Platform) -> None:
    page.goto(f"{platform.portal_url}/my/")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop it").click()
    wait_until(lambda: not platform.has_server("bob"), 60, platform.said)
    expect(page.locator("table#sessions tbody tr").first).to_contain_text("ended", timeout=30_000)


def assert_counted_and_exported(platform: Platform, folder: Path) -> None:
    """The newest session counts exactly, and leaves as one line for XDMoD."""
    [(seconds, used, ended)] = platform.rows(
        "SELECT extract(epoch FROM s.ended_at - s.ready_at)::int,"
        " extract(epoch FROM c.ended_at - c.started_at)::int * c.cpu_millicores,"
        " to_char(s.ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')"
        " FROM hub_sessions_session s JOIN hub_sessions_charge c ON c.session_id = s.number"
        " WHERE s.user_name = 'bob' ORDER BY s.number DESC LIMIT 1"
    )
    assert used == seconds * 500
    export = ["export_xdmod", "--hub", "demo", "--settle", "0", "--output", str(folder)]
    for command in (["audit_usage"], export):
        done = platform.manage(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    logs = [log.read_text() for log in (folder / "jobs").glob("*.log")]
    lines = [line for text in logs for line in text.splitlines()]
    assert len([line for line in lines if "|bob|" in line and f"|{ended}|" in line]) == 1


def test_bob_starts_a_notebook_at_the_hub_without_a_second_login(
    platform: Platform, sign_in: SignIn
) -> None:
    page = sign_in("bob")
    page.goto(f"{platform.hub_url}/hub/spawn")
    page.get_by_label("Transients").check()
    page.get_by_label("Tiny").check()
    page.get_by_role("button", name="Start").click()
    wait_for_lab(page, platform, "bob")
    page.goto(f"{platform.hub_url}/hub/home")
    page.get_by_text("Stop My Server").click()
    wait_until(lambda: not platform.has_server("bob"), 60, platform.said)
    page.goto(f"{platform.portal_url}/my/")
    expect(page.locator("table#sessions tbody tr").first).to_contain_text("ended", timeout=SOON)
    cells = newest_row(page)
    assert len(moments(cells)) == 3
    assert "Transients" in " ".join(cells)


def test_a_newcomer_waits_for_approval_and_then_reaches_the_hub(
    platform: Platform, sign_in: SignIn
) -> None:
    page = sign_in("erin")
    page.goto(f"{platform.hub_url}/hub/spawn")
    expect(page.get_by_role("heading", name="Welcome, Erin")).to_be_visible()
    platform.rows(
        "UPDATE accounts_user SET registered_at = now() WHERE username = 'erin' RETURNING id"
    )
    page.goto(f"{platform.hub_url}/hub/spawn")
    page.wait_for_url(f"{platform.hub_url}/hub/spawn")


def test_signing_out_of_the_portal_offers_to_sign_out_of_the_hub(
    platform: Platform, sign_in: SignIn
) -> None:
    page = sign_in("charlie")
    page.goto(f"{platform.hub_url}/hub/home")
    page.goto(platform.portal_url)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign out of").click()
    page.wait_for_url(f"{platform.portal_url}/signed-out")
    page.goto(f"{platform.hub_url}/hub/home")
    expect(page.get_by_role("heading", name="Demo login")).to_be_visible()
