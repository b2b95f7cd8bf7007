"""What a start costs, in a browser: on the portal's page and on the form of a hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from lsp_hub.form import options_form
from lsp_hub.options import Wish, parse_launch_options
from lsp_portal.lib import clock
from sessions.options import launch_options
from tests import factories
from tests.cast import Cast, make_cast
from tests.e2e.accessibility import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIMITED, UNLIMITED = "The group has 1.50 core-hours left", "The group has no limit"
SMALL, MEDIUM = "1 core-hours per hour", "Medium needs 2.00 to start"


@pytest.fixture
def cast() -> Cast:
    """Transients can pay for Tiny and Small, Galaxies for everything."""
    made, first = make_cast(), clock.now().date() - timedelta(days=40)
    period = factories.period(first, first + timedelta(days=180))
    factories.quota(made.transients, period, "1.5")
    return made


def assert_narrowed(page: Page, choose: str) -> None:
    """Only what concerns the choice is read; `choose` picks the other group and size."""
    page.evaluate(choose.format(group="transients", size="small"))
    expect(page.get_by_text(LIMITED)).to_be_visible()
    expect(page.get_by_text(SMALL)).to_have_count(2)
    expect(page.get_by_text(SMALL).locator("visible=true")).to_have_count(1)
    expect(page.get_by_text(UNLIMITED)).to_be_hidden()
    page.evaluate(choose.format(group="transients", size="medium"))
    expect(page.get_by_text(MEDIUM)).to_be_visible()
    page.evaluate(choose.format(group="galaxies", size="medium"))
    expect(page.get_by_text(MEDIUM)).to_be_hidden()
    expect(page.get_by_text(UNLIMITED)).to_be_visible()


def test_the_portals_page_narrows_the_costs_to_the_choice(
    cast: Cast, live_server: LiveServer, browser: Browser
) -> None:
    with signed_in(cast, live_server, browser, scripts=True) as page:
        assert_narrowed(
            page,
            """() => {{ for (const [name, value] of [["group", "{group}"], ["size", "{size}"]]) {{
                const field = document.getElementById(`id_demo_${{name}}`);
                field.value = value;
                field.dispatchEvent(new Event("change", {{bubbles: true}}));
            }} }}""",
        )


def test_the_portals_page_says_everything_without_scripts(
    cast: Cast, live_server: LiveServer, browser: Browser
) -> None:
    with signed_in(cast, live_server, browser, scripts=False) as page:
        for said in (LIMITED, UNLIMITED, MEDIUM):
            expect(page.get_by_text(said)).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_the_hubs_form_says_what_a_start_costs(scripts: bool, cast: Cast, browser: Browser) -> None:
    options = launch_options(cast.hub, user_name="bob", at=clock.now())
    form = options_form(parse_launch_options(options), last=Wish())
    page = browser.new_context(java_script_enabled=scripts).new_page()
    page.set_content(f"<html lang=en><title>Spawn</title><main><h1>Spawn</h1>{form}</main></html>")
    if scripts:
        assert violations(page) == []
        assert_narrowed(
            page,
            """() => {{ for (const name of ["group-{group}", "size-{size}"]) {{
                document.getElementById(`lsp-${{name}}`).click();
            }} }}""",
        )
    else:
        for said in (LIMITED, UNLIMITED, MEDIUM):
            expect(page.get_by_text(said)).to_be_visible()


@contextmanager
def signed_in(cast: Cast, server: LiveServer, browser: Browser, *, scripts: bool) -> Iterator[Page]:
    """Bob's own page; it lets go of the server at the end, and so the server of the database."""
    client = Client()
    client.force_login(cast.bob)
    name = settings.SESSION_COOKIE_NAME
    with browser.new_context(java_script_enabled=scripts) as context:
        value = client.cookies[name].value
        context.add_cookies([{"name": name, "value": value, "url": server.url}])
        page = context.new_page()
        page.goto(f"{server.url}/my/")
        yield page
