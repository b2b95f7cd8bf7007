"""The parts of a page that bring themselves up to date."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from accounts.models import Group, User
from quotas.models import AllocationPeriod
from sessions.models import Charge, Hub, Session, StaleDay
from tests import factories
from tests.accounting.visits import DAY, HOUR, NOW, PERIOD, text, visit

pytestmark = pytest.mark.django_db

POLL = timedelta(seconds=3)


@pytest.fixture(autouse=True)
def spring() -> AllocationPeriod:
    return factories.period(*PERIOD, title="2026A")


@pytest.fixture
def hub() -> Hub:
    return factories.hub(public_url="https://hub.example.org")


@pytest.fixture
def running(hub: Hub, bob: User, transients: Group) -> Session:
    return factories.charged_session(
        hub, bob, transients, ready_at=NOW - HOUR, ended_at=None, server=""
    )


def poll(page: str) -> str:
    """The address that the page asks for news."""
    found = re.search(r'hx-get="([^"]+)"', page)
    assert found is not None
    return found[1].replace("&amp;", "&")


def stop(session: Session) -> None:
    session.ended_at = session.stopped_at = NOW + timedelta(seconds=1)
    session.end_source, session.end_reason = "stop", "user"
    session.save(update_fields=["ended_at", "stopped_at", "end_source", "end_reason"])
    Charge.objects.filter(session=session).update(ended_at=session.ended_at)
    StaleDay.objects.create(day=session.ended_at.date(), group=session.group)


PAGES = [("bob", "/my/"), ("alice", "/groups/transients/")]


@pytest.mark.parametrize(("name", "path"), PAGES)
def test_nothing_is_sent_while_nothing_happens(
    name: str, path: str, alice: User, bob: User, running: Session
) -> None:
    who = {"alice": alice, "bob": bob}[name]
    address = poll(text(who, path))

    assert visit(who, address, at=NOW + POLL, htmx=True).status_code == 204
    assert visit(who, address, at=NOW + 9 * POLL, htmx=True).status_code == 204


@pytest.mark.parametrize(("name", "path"), PAGES)
def test_a_stop_is_seen_within_one_poll_with_its_exact_time(
    name: str, path: str, alice: User, bob: User, running: Session
) -> None:
    who = {"alice": alice, "bob": bob}[name]
    address = poll(text(who, path))
    stop(running)

    news = text(who, address, at=NOW + POLL, htmx=True)

    assert "2026-05-01 08:00:01" in news
    assert "stopped by its user" in news
    assert 'value="1.000278"' in news
    assert visit(who, poll(news), at=NOW + 2 * POLL, htmx=True).status_code == 204


@pytest.mark.parametrize(("name", "path"), PAGES)
def test_the_totals_come_with_the_news(
    name: str, path: str, alice: User, bob: User, running: Session
) -> None:
    who = {"alice": alice, "bob": bob}[name]
    address = poll(text(who, path))
    stop(running)

    news = text(who, address, at=NOW + POLL, htmx=True)

    part = {"bob": "my-totals", "alice": "group-totals"}[name]
    assert 'value="1.000278"' in news.split(f'<div id="{part}" hx-swap-oob="true">')[1]


def test_the_usage_of_a_running_server_moves_on_each_minute(bob: User, running: Session) -> None:
    address = poll(text(bob, "/my/"))

    news = text(bob, address, at=NOW + timedelta(minutes=1), htmx=True)

    assert 'value="1.016667"' in news


def test_a_page_without_open_servers_does_not_change_by_itself(
    hub: Hub, bob: User, transients: Group
) -> None:
    factories.charged_session(hub, bob, transients, ready_at=NOW - DAY)
    address = poll(text(bob, "/my/"))

    assert visit(bob, address, at=NOW + HOUR, htmx=True).status_code == 204


def test_the_start_form_comes_back_once_the_server_has_ended(bob: User, running: Session) -> None:
    page = text(bob, "/my/")
    assert "Your server is running" in page
    assert 'name="size"' not in page
    minute = text(bob, poll(page), at=NOW + timedelta(minutes=1), htmx=True)
    assert 'id="starts"' not in minute
    stop(running)

    news = text(bob, poll(minute), at=NOW + timedelta(minutes=2), htmx=True)

    assert '<div id="starts" hx-swap-oob="true">' in news
    assert 'name="size"' in news


@pytest.mark.parametrize(("name", "path"), PAGES)
def test_a_past_period_is_not_asked_for_news(
    name: str, path: str, alice: User, bob: User, running: Session
) -> None:
    who = {"alice": alice, "bob": bob}[name]

    assert "hx-get" not in text(who, path, first="2026-03-01", last="2026-03-31")
    assert "hx-get" in text(who, path, first="2026-03-01", last="2026-05-31")


def test_the_links_of_a_part_lead_to_pages_and_not_to_parts(
    hub: Hub, bob: User, transients: Group
) -> None:
    for number in range(30):
        factories.session(hub, bob, transients, ready_at=NOW - number * HOUR - DAY)

    part = text(bob, "/my/live", seen="x", starts="y", htmx=True)

    older = re.search(r'href="(\?before=[^"]+)"', part)
    assert older is not None
    assert "seen" not in older[1]
    assert "starts" not in older[1]


def test_what_has_the_focus_can_be_found_again(bob: User, running: Session) -> None:
    part = text(bob, "/my/live", htmx=True)

    for name in (f"stop-{running.number}", f"open-{running.number}", "sessions-csv"):
        assert f'id="{name}"' in part
