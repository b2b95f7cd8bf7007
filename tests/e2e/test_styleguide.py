"""Every component in a real browser: accessible, within the content policy, and working."""

from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from tests.e2e.accessibility import violations

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.e2e.styleguide_urls"),
]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_component_is_accessible(
    browser: Browser, live_server: LiveServer, scheme: Literal["light", "dark"], width: int
) -> None:
    size = {"width": width, "height": 900}
    context = browser.new_context(color_scheme=scheme, bypass_csp=True, viewport=size)  # type: ignore[arg-type]  # a plain dict
    page = context.new_page()
    page.goto(f"{live_server.url}/styleguide/")
    expect(page.locator(".main-svg").first).to_be_visible()

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    context.close()


def test_no_component_breaks_the_content_policy(page: Page, live_server: LiveServer) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(f"{live_server.url}/styleguide/")
    page.click("[data-scheme=dark]")
    expect(page.locator(".main-svg").first).to_be_visible()

    assert complaints == []


def test_the_colour_scheme_is_remembered(page: Page, live_server: LiveServer) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(f"{live_server.url}/styleguide/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")

    page.click("[data-scheme=dark]")
    page.reload()

    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page.locator("[data-scheme=dark]")).to_have_attribute("aria-pressed", "true")


def test_nothing_is_sent_before_the_question_is_answered(
    page: Page, live_server: LiveServer
) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto(f"{live_server.url}/styleguide/")

    page.locator("form[data-confirm] button").first.click()
    expect(page.get_by_text("Stop the notebook of Alice?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#confirm")).to_be_hidden()
    assert "POST" not in sent

    page.locator("form[data-confirm] button").first.click()
    with page.expect_navigation():
        page.get_by_role("button", name="Stop it").click()
    assert "POST" in sent


@pytest.mark.parametrize("failure", ["no answer", "an error"])
def test_a_part_of_the_page_is_fetched_and_a_failure_is_told(
    page: Page, live_server: LiveServer, failure: str
) -> None:
    address = f"{live_server.url}/styleguide/"
    page.goto(address)

    def fail(route: Route) -> None:
        if failure == "no answer":
            route.abort()
        else:
            route.fulfill(status=500)

    page.route(address, fail)
    page.get_by_role("button", name="Read again").click()
    page.get_by_role("button", name="Read them").click()
    expect(page.get_by_text("could not be brought up to date")).to_be_visible()

    page.unroute(address)
    page.get_by_role("button", name="Read again").click()
    with page.expect_response(address) as answer:
        page.get_by_role("button", name="Read them").click()
    assert answer.value.status == 200
    assert answer.value.request.headers["x-csrftoken"]
    expect(page.get_by_text("could not be brought up to date")).to_be_hidden()
