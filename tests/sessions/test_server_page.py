"""The page on which people watch their server start, and read why it did not."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from lsp_portal.lib import clock
from sessions import launch
from sessions.driving import states
from sessions.driving.asking import StartAsk, ask_to_start
from sessions.driving.steps import tell
from sessions.driving.vocabulary import Reason
from sessions.hub.client import HubClient, HubRefused
from sessions.models import Hub, Server, Session
from tests import factories
from tests.sessions.launch.platform import Platform, make_platform

pytestmark = pytest.mark.django_db
NO_ROOM = Reason("no_cpu", "No node has 1 CPU free now.", "Small would start at once.")
OOM = Reason("oom", "The server used more memory than its size has.", "Start it again.")


@pytest.fixture
def platform() -> Platform:
    made = make_platform()
    Hub.objects.update(mode=Hub.Mode.DRIVE, public_url="https://hub.example.org")
    made.hub.refresh_from_db()
    return made


@pytest.fixture
def session(platform: Platform) -> Session:
    """Bob's, granted and asked for a second ago."""
    at = clock.now() - timedelta(seconds=1)
    launch.grant(platform.hub, platform.ask(), at=at)
    return Session.objects.get()


@pytest.fixture
def server(session: Session) -> Server:
    at = clock.now()
    return ask_to_start(session, StartAsk(("jupyterhub-singleuser",), {}, 8888), at=at)


def signed_in(who: User) -> Client:
    client = Client()
    client.force_login(who)
    return client


def shown(who: User, session: Session, part: str = "") -> str:
    answer = signed_in(who).get(f"/my/servers/{session.key}{part}")
    return unescape(answer.content.decode())


def test_every_step_is_shown_in_its_order_with_what_can_be_done(
    platform: Platform, session: Session, server: Server
) -> None:
    tell(server, [NO_ROOM], at=clock.now())
    page = shown(platform.bob, session)
    steps = ["Granted: ", "Asked for; the portal is starting", f"{NO_ROOM.text}</span>"]
    places = [page.index(step) for step in steps]
    assert places == sorted(places)
    assert "Your server is starting" in page
    assert "Cancel and choose something else" in page
    assert f'role="status">{NO_ROOM.text}' in page
    assert '<meta http-equiv="refresh"' in page


def test_a_server_that_is_ready_can_be_opened(
    platform: Platform, session: Session, server: Server
) -> None:
    at = clock.now()
    Server.objects.update(state="starting")
    states.mark_ready(server, address="http://10.0.0.7:8888", node="n", ready_at=at, at=at)
    page = shown(platform.bob, session)
    assert "Your server is ready" in page
    assert 'href="https://hub.example.org/user/bob/"' in page
    assert "http-equiv" not in page


def test_a_start_that_failed_says_why_and_that_it_was_free(
    platform: Platform, session: Session, server: Server
) -> None:
    states.fail(server, OOM, at=clock.now())
    page = shown(platform.bob, session)
    assert "Your server did not start" in page
    assert f"It cost nothing.</strong> {OOM.text}" in page
    assert "Choose and start again" in page


def test_a_start_that_was_cancelled_says_so(
    platform: Platform, session: Session, server: Server
) -> None:
    states.stop(server, at=clock.now())
    assert "Your server is stopping" in shown(platform.bob, session)
    states.mark_clean(server, at=clock.now())
    assert "It cost nothing.</strong> Stopped before it was ready." in shown(platform.bob, session)


def test_the_part_comes_only_when_something_happened_and_says_when_it_is_the_last(
    platform: Platform, session: Session, server: Server
) -> None:
    bob, path = signed_in(platform.bob), f"/my/servers/{session.key}/live"
    assert bob.get(path, {"seen": "pending-2"}).status_code == 204
    tell(server, [NO_ROOM], at=clock.now())
    answer = bob.get(path, {"seen": "pending-2"})
    assert answer.status_code == 200
    assert 'name="seen" value="pending-3"' in answer.content.decode()
    states.fail(server, OOM, at=clock.now())
    assert bob.get(path, {"seen": "pending-3"}).status_code == 200
    states.mark_clean(server, at=clock.now())
    assert bob.get(path, {"seen": "failed-4"}).status_code == 286


def test_where_the_hub_runs_the_server_its_events_are_the_steps(
    platform: Platform, session: Session
) -> None:
    Session.objects.update(requested_at=session.granted_at)
    assert "The hub starts the server" in shown(platform.bob, session)
    Session.objects.update(lease_until=clock.now() - timedelta(minutes=1))
    page = shown(platform.bob, session)
    assert "Your server did not start" in page
    assert "The server did not become ready in time" in page


def test_nobody_else_sees_it(platform: Platform, session: Session, server: Server) -> None:
    for part in ("", "/live"):
        answer = signed_in(platform.charlie).get(f"/my/servers/{session.key}{part}")
        assert answer.status_code == 404


def test_the_list_of_my_servers_tells_the_newest_step(
    platform: Platform, session: Session, server: Server
) -> None:
    tell(server, [NO_ROOM], at=clock.now())
    bob = signed_in(platform.bob)
    page = bob.get("/my/").content.decode()
    assert NO_ROOM.message in page
    assert f"/my/servers/{session.key}" in page


def test_the_list_comes_anew_with_every_step(
    platform: Platform, session: Session, server: Server
) -> None:
    bob = signed_in(platform.bob)
    seen = bob.get("/my/").context["seen"]
    assert bob.get("/my/live", {"seen": seen}).status_code == 204
    tell(server, [NO_ROOM], at=clock.now())
    assert bob.get("/my/live", {"seen": seen}).status_code == 200


def test_the_page_asks_little_however_many_steps_there_are(
    platform: Platform,
    session: Session,
    server: Server,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    many = [Reason(f"step_{number}", f"Step {number}.") for number in range(40)]
    tell(server, many, at=clock.now())
    bob = signed_in(platform.bob)
    with django_assert_max_num_queries(6):
        bob.get(f"/my/servers/{session.key}/live")


def test_a_cancelled_start_leads_back_to_where_the_person_wants_to_go(
    platform: Platform, session: Session, server: Server
) -> None:
    bob, path = signed_in(platform.bob), f"/my/stop/{session.key}"
    states.mark_creating(server, at=clock.now())
    Server.objects.update(state="gone", desired="stopped", cleaned_at=clock.now())
    assert bob.post(path, {"then": "steps"}).headers["Location"] == f"/my/servers/{session.key}"
    assert bob.post(path, {"then": "start"}).headers["Location"] == "/my/"


def test_a_start_that_came_to_nothing_at_once_is_told_by_its_steps(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub answers after the portal has given the server up already."""

    def hand_over(*args: object, **kwargs: object) -> None:
        asked = StartAsk(("jupyterhub-singleuser",), {}, 8888)
        states.fail(ask_to_start(Session.objects.get(), asked, at=clock.now()), OOM, at=clock.now())
        raise HubRefused("The hub says no.")

    monkeypatch.setattr(HubClient, "start_server", hand_over)
    Hub.objects.update(api_url="http://127.0.0.1:9/hub/api")
    choice = {"group": "transients", "image": "base", "size": "small"}
    answer = signed_in(platform.bob).post(f"/my/start/{platform.hub.name}", choice, follow=True)
    page = unescape(answer.content.decode())
    assert "Your server did not start" in page
    assert OOM.text in page


def test_two_sessions_do_not_share_their_steps(platform: Platform, server: Server) -> None:
    other = factories.session(platform.hub, platform.bob, platform.transients, ready_at=None)
    assert "Asked for; the portal" not in shown(platform.bob, other)
