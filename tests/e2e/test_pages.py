"""The pages in a real browser: accessible, within the content policy, live and undisturbing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, TimeoutError, expect
from pytest_django.live_server_helper import LiveServer

from accounting.models import ReportSchedule
from accounting.sharing import recipients, schedules
from accounts.models import Notice, User
from lsp_portal.lib import clock
from quotas.models import AllocationPeriod
from sessions.models import Charge, Reattribution, Session, StaleDay
from tests import factories
from tests.cast import Cast, make_cast
from tests.e2e.accessibility import violations

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
CHART = "/groups/transients/"
PAGES: dict[str, list[str]] = {
    "nobody": ["/", "/privacy/"],
    "bob": [
        "/my/",
        "/my/servers/{server}",
        "/my/servers/{failed}",
        "/my/storage/",
        "/my/?first=2026-02-02&last=2026-01-01",
        "/groups/",
        "/sessions/{running}/",
    ],
    "alice": [
        "/groups/",
        CHART,
        f"{CHART}what-if/?people=9&size=2&hours=5&days=2",
        f"{CHART}storage/",
        f"{CHART}statement/",
        f"{CHART}links/",
        f"{CHART}schedules/",
        f"{CHART}schedules/{{schedule}}/",
        f"{CHART}people/",
        f"{CHART}invitations/",
        f"{CHART}history/",
        f"{CHART}requests/",
        f"{CHART}requests/ask/",
        "/account/",
        "/account/identities/",
        "/account/tokens/",
        "/account/git/",
        "/account/data/",
        "/account/policy/",
        "/account/notices/",
        "/account/notices/settings/",
        "/reports/?by=image&then=size",
        "/reports/members/",
        "/requests/",
        "/sessions/{running}/move/",
        "/requests/sessions/{asked}/",
    ],
    "dora": [
        "/reports/",
        "/reports/?by=user&then=image",
        "/overview/",
        "/overview/storage/",
        "/overview/repairs/",
        "/overview/cluster/",
        "/statements/",
        "/overview/replay/",
        "/sessions/",
        "/overview/replay/?months=2&core_hours=3&mode=hard&group_sessions=1",
        "/registrations/",
        "/quota-requests/",
        "/people/import/",
        "/notices/preview/",
    ],
}


@dataclass(frozen=True)
class Stage:
    """A platform with sessions of all kinds, and where it is served."""

    cast: Cast
    url: str
    running: Session
    asked: Reattribution
    period: AllocationPeriod
    schedule: ReportSchedule

    def names(self) -> dict[str, object]:
        """What stands in braces in the addresses."""
        failed = Session.objects.get(user=self.cast.bob, ready_at=None)
        known: dict[str, object] = {"running": self.running.pk, "asked": self.asked.pk}
        known |= {"server": self.running.key, "failed": failed.key}
        return known | {"schedule": self.schedule.pk}

    def cookie(self, who: User) -> Any:
        """The login of somebody, as a browser keeps it."""
        client = Client()
        client.force_login(who)
        name = settings.SESSION_COOKIE_NAME
        return {"name": name, "value": client.cookies[name].value, "url": self.url}


@pytest.fixture
def stage(live_server: LiveServer) -> Stage:
    cast, now = make_cast(), clock.now()
    cast.hub.public_url = "http://127.0.0.1:9"
    cast.hub.save(update_fields=["public_url"])
    first = now.date() - timedelta(days=40)
    period = factories.period(first, first + timedelta(days=180), title="This one")
    factories.period(first - timedelta(days=180), first, title="The last one")
    factories.quota(cast.transients, period, "60")
    for number in range(6):
        who = (cast.alice, cast.bob)[number % 2]
        begin = now - timedelta(hours=20 * number + 30)
        factories.charged_session(cast.hub, who, cast.transients, ready_at=begin)
    factories.session(
        cast.hub, cast.bob, cast.transients, ready_at=None, requested_at=now - timedelta(hours=9),
        ended_at=now - timedelta(hours=8), message="x" * 300,
    )  # fmt: skip
    begin = now - timedelta(hours=2)
    factories.charged_session(cast.hub, None, None, user_name="mallory " * 30, ready_at=begin)
    running = factories.charged_session(
        cast.hub, cast.bob, cast.transients, ready_at=begin, ended_at=None
    )
    factories.storage_samples(cast.transients, "/data", 30 * [5 * 2**30], until=now)
    factories.storage_samples(cast.bob, "/home", 30 * [2**30], until=now)
    for topic in ("quota", "session"):
        Notice.objects.create(
            recipient=cast.alice, topic=topic, key=topic, subject="News " * 9, text="It is so.",
            link="/groups/transients/", due_at=now + timedelta(days=1),
        )  # fmt: skip
    asked = Reattribution.objects.create(
        session=running, from_group=cast.transients, to_group=cast.galaxies, reason="For the paper",
        asked_by=cast.bob, asked_at=now, expires_at=now + timedelta(days=30),
    )  # fmt: skip
    schedule = schedules.make_schedule(
        cast.transients, covers="month", file="csv", day=1, with_names=False, by=cast.alice, at=now
    )
    recipients.add_leader(schedule, cast.alice, at=now - timedelta(days=40))
    recipients.ask_address(schedule, "funder@example.org", at=now)
    return Stage(cast, live_server.url, running, asked, period, schedule)


@pytest.fixture
def context(stage: Stage, browser: Browser) -> Iterator[BrowserContext]:
    """A browser in which Bob is signed in."""
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    made.add_cookies([stage.cookie(stage.cast.bob)])
    yield made
    made.close()


@pytest.fixture
def bobs(context: BrowserContext, stage: Stage) -> Page:
    """Bob's own page, where nobody complains of anything."""
    page = context.new_page()
    page.on("console", lambda message: pytest.fail(message.text))
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(f"{stage.url}/my/")
    return page


def test_every_page_is_accessible_in_both_schemes_and_fits_a_phone(
    stage: Stage, browser: Browser
) -> None:
    wrong: list[tuple[str, str]] = []
    for page, path in visits(stage, browser, bypass_csp=True):
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
            wrong += [(f"{path} {scheme}", violation) for violation in violations(page)]
        page.set_viewport_size({"width": 390, "height": 900})
        try:
            page.wait_for_function("document.documentElement.scrollWidth === 390", timeout=5000)
        except TimeoutError:
            wrong.append((path, "is wider than a phone"))

    assert wrong == []


def test_no_page_breaks_the_content_policy(stage: Stage, browser: Browser) -> None:
    complaints: list[str] = []
    for page, path in visits(stage, browser):
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.reload()
        if path == CHART:
            expect(page.locator(".main-svg").first).to_be_visible()

    assert complaints == []


def visits(stage: Stage, browser: Browser, **options: Any) -> Iterator[tuple[Page, str]]:
    """Every page, as somebody who may see it."""
    for name, paths in PAGES.items():
        # Colours that are still on their way from one scheme to the other are nobody's choice.
        context = browser.new_context(reduced_motion="reduce", **options)
        if name != "nobody":
            context.add_cookies([stage.cookie(getattr(stage.cast, name))])
        for path in paths:
            page = context.new_page()
            page.goto(stage.url + path.format(**stage.names()))
            if path == CHART:
                expect(page.locator(".main-svg").first).to_be_visible()
            yield page, path
            page.close()
        context.close()


def end(session: Session) -> str:
    """End the session as its events would; the time that pages must show."""
    now = datetime.now(UTC).replace(microsecond=0)
    Session.objects.filter(pk=session.pk).update(
        ended_at=now, stopped_at=now, end_source="stop", end_reason="culled"
    )
    Charge.objects.filter(session=session).update(ended_at=now)
    StaleDay.objects.create(day=now.date(), group=session.group)
    return f"{now:%Y-%m-%d %H:%M:%S}"


def test_an_end_appears_within_five_seconds_and_the_form_comes_back(
    stage: Stage, bobs: Page
) -> None:
    expect(bobs.get_by_text("Your server is running.")).to_be_visible()
    ended_at = end(stage.running)

    row = bobs.locator("#sessions tbody tr").first
    expect(row).to_contain_text(ended_at, timeout=5000)
    expect(row).to_contain_text("stopped because it was idle")
    expect(bobs.locator("#servers")).to_have_count(0)
    expect(bobs.get_by_label("Size")).to_be_visible()


def test_what_is_under_the_hand_stays_there(stage: Stage, bobs: Page) -> None:
    bobs.set_viewport_size({"width": 390, "height": 900})
    stop = bobs.locator(f"#stop-{stage.running.number}")
    stop.focus()
    wrap = bobs.locator("#sessions-wrap")
    wrap.evaluate("wrap => wrap.scrollLeft = 120")
    Session.objects.filter(pk=stage.running.pk).update(ready_at=clock.now())

    with bobs.expect_response(lambda answer: "/my/live" in answer.url and answer.status == 200):
        pass
    bobs.wait_for_timeout(200)

    expect(stop).to_be_focused()
    assert wrap.evaluate("wrap => wrap.scrollLeft") == 120


def test_a_question_is_not_pulled_from_under_an_answer(stage: Stage, bobs: Page) -> None:
    polls: list[str] = []
    bobs.locator(f"#stop-{stage.running.number}").click()
    expect(bobs.get_by_text("Stop this server?")).to_be_visible()
    bobs.on("request", lambda request: polls.append(request.url))
    Session.objects.filter(pk=stage.running.pk).update(ready_at=clock.now())
    bobs.wait_for_timeout(3500)
    assert polls == []

    with bobs.expect_navigation():
        bobs.get_by_role("button", name="Stop it").click()

    expect(bobs.locator("#messages")).to_contain_text("Demo")  # its hub cannot be reached
    stage.running.refresh_from_db()
    assert stage.running.stop_requested_at is not None


def test_a_changed_day_switches_to_other_dates(stage: Stage, bobs: Page) -> None:
    period, first = bobs.locator("select[name=period]"), bobs.get_by_label("First day")
    expect(period).to_have_value(str(stage.period.pk))
    first.fill(f"{clock.now():%Y-%m-%d}")
    expect(period).to_have_value("")
    with bobs.expect_navigation():
        bobs.get_by_role("button", name="Show").click()
    assert "period" not in bobs.url
    assert "first=" in bobs.url

    bobs.locator("select[name=period]").select_option("The last one")
    expect(bobs.get_by_label("First day")).to_have_value("")
    with bobs.expect_navigation():
        bobs.get_by_role("button", name="Show").click()
    assert "first" not in bobs.url
    expect(bobs.get_by_text("No sessions in this time")).to_be_visible()
    expect(bobs.locator("[data-live]")).to_have_count(0)
