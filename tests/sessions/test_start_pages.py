"""Starting and stopping servers on the portal's own page."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Iterator
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client

from accounts.models import Group, User
from quotas.models import AllocationPeriod
from sessions.hub.secrets import issue_secret
from sessions.models import Hub, HubUserName, Session, StorageSample
from tests import factories
from tests.accounting.visits import DAY, HOUR, NOW, PERIOD

pytestmark = pytest.mark.django_db


class StubHub(ThreadingHTTPServer):
    """A hub's REST API that does as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.asked: list[tuple[str, str, Any]] = []
        self.status, self.message = 202, ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hub/api"


class HubHandler(BaseHTTPRequestHandler):
    server: StubHub

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        self.server.asked.append((self.command, self.path, body))
        content = json.dumps({"message": self.server.message}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_DELETE = _answer  # noqa: N815 - names that the base class looks for

    def log_message(self, *args: object) -> None:
        """Nothing is written."""


@pytest.fixture
def stub() -> Iterator[StubHub]:
    server = StubHub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def spring() -> AllocationPeriod:
    return factories.period(*PERIOD, title="2026A")


@pytest.fixture
def hub(stub: StubHub) -> Hub:
    made = factories.hub(api_url=stub.url, public_url="https://hub.example.org")
    issue_secret(made, NOW - DAY)
    return made


@pytest.fixture(autouse=True)
def _at_eight() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def signed_in(who: User) -> Client:
    client = Client()
    client.force_login(who)
    return client


def page(who: User) -> str:
    return signed_in(who).get("/my/").content.decode()


def start(who: User, **chosen: str) -> str:
    """Starts a server; the page that follows."""
    choice = {"group": "transients", "image": "base", "size": "small"} | chosen
    return signed_in(who).post("/my/start/demo", choice, follow=True).content.decode()


def held() -> int:
    return Session.objects.all().holding(at=NOW).hold()


def test_the_form_offers_groups_images_and_sizes_with_their_price(hub: Hub, bob: User) -> None:
    shown = page(bob)

    assert "Transients: no limit" in shown
    assert "Base notebook" in shown
    assert "Tiny: 0.5 CPU, 1 GiB (0.5 core-hours/h)" in shown
    assert "Large: 4 CPU, 8 GiB (4 core-hours/h)" in shown


def test_the_page_says_what_each_group_and_size_costs_without_a_script(
    hub: Hub, bob: User, transients: Group, spring: AllocationPeriod
) -> None:
    factories.quota(transients, spring, "1.5")

    shown = unescape(page(bob))

    assert "The group has 1.50 core-hours left." in shown
    assert "0.5 core-hours per hour. Alone, it could run for 3 hours on what is left." in shown
    assert "Medium:</strong> closed. The group “Transients” has used 0.00" in shown
    assert "The group has no limit." in shown


def test_a_start_is_granted_and_handed_to_the_hub(hub: Hub, stub: StubHub, bob: User) -> None:
    shown = start(bob)

    session = Session.objects.get()
    assert "Your server is starting" in shown
    assert (session.user, session.group and session.group.name) == (bob, "transients")
    assert (session.size, session.granted_at) == ("small", NOW)
    assert stub.asked == [
        ("POST", "/hub/api/users/bob/server",
         {"session": str(session.key), "group": "transients", "image": "base", "size": "small"}),
    ]  # fmt: skip


def test_a_start_that_the_portal_refuses_says_why_and_asks_no_hub(
    hub: Hub, stub: StubHub, charlie: User, transients: Group
) -> None:
    shown = start(charlie)

    assert "is not a member of a group “transients”" in shown
    assert not Session.objects.exists()
    assert stub.asked == []


@pytest.mark.parametrize("field", ["group", "image", "size"])
def test_a_choice_that_does_not_exist_is_told(field: str, hub: Hub, bob: User) -> None:
    shown = start(bob, **{field: "<none>"})

    assert "&lt;none&gt;" in shown
    assert not Session.objects.exists()


def test_a_hub_that_is_down_leaves_no_hold(hub: Hub, bob: User) -> None:
    Hub.objects.filter(pk=hub.pk).update(api_url="http://127.0.0.1:9/hub/api")

    shown = start(bob)

    assert "Demo does not answer. Try again later." in shown
    assert held() == 0
    assert "Your server is starting" not in shown
    assert 'name="size"' in shown


def test_a_hub_that_says_no_is_quoted_and_leaves_no_hold(
    hub: Hub, stub: StubHub, bob: User
) -> None:
    stub.status, stub.message = 400, "bob is already running"

    shown = start(bob)

    assert "Demo: bob is already running" in shown
    assert held() == 0


def test_a_hub_without_an_address_is_told(hub: Hub, bob: User) -> None:
    Hub.objects.filter(pk=hub.pk).update(api_url="")

    assert "does not know the address of Demo" in start(bob)
    assert held() == 0


def test_there_is_no_other_way_to_start(hub: Hub, bob: User, stub: StubHub) -> None:
    assert signed_in(bob).get("/my/start/demo").status_code == 405
    assert signed_in(bob).post("/my/start/none").status_code == 404
    assert Client().post("/my/start/demo").status_code == 302
    assert Client(enforce_csrf_checks=True).post("/my/start/demo").status_code == 403
    assert stub.asked == []


def test_who_is_in_no_group_is_told_whom_to_ask(hub: Hub) -> None:
    shown = page(factories.user("frank"))

    assert "You are in no group that could pay for it." in shown
    assert 'name="size"' not in shown


def test_who_is_in_five_groups_chooses_among_the_open_ones(
    hub: Hub, bob: User, spring: AllocationPeriod
) -> None:
    for name in ("exo", "lensing"):
        factories.membership(bob, factories.group(name))
    spent = factories.group("spent", title="Spent")
    factories.membership(bob, spent)
    factories.quota(spent, spring, "0")
    Group.objects.filter(name="lensing").update(closed_at=NOW - DAY)

    shown = page(bob)

    assert 'value="spent" disabled' in shown
    assert 'value="lensing" disabled' in shown
    assert "The group “Spent” has used 0.00 of its 0.00 core-hours" in shown
    assert "The group “Lensing” is closed" in shown
    assert shown.count(": no limit") == 3


def test_the_only_group_used_up_is_a_reason(
    hub: Hub, charlie: User, solar_system: Group, spring: AllocationPeriod
) -> None:
    factories.quota(solar_system, spring, "0.1")

    shown = page(charlie)

    assert "You cannot start one now." in shown
    assert "The count begins anew on 1 July 2026." in shown
    assert 'name="size"' not in shown


def test_maintenance_is_told_in_the_words_of_the_administrator(hub: Hub, bob: User) -> None:
    Hub.objects.filter(pk=hub.pk).update(maintenance="New disks until noon.")

    assert "New disks until noon." in page(bob)


def test_the_last_choice_is_offered_again(hub: Hub, bob: User, galaxies: Group) -> None:
    factories.session(hub, bob, galaxies, ready_at=NOW - DAY, size="large")
    factories.session(hub, bob, galaxies, ready_at=NOW - 2 * DAY, size="tiny")

    shown = page(bob)

    assert '<option value="large" selected>' in shown
    assert '<option value="galaxies" selected>' in shown


def test_a_last_choice_that_is_closed_now_is_not(hub: Hub, bob: User, galaxies: Group) -> None:
    factories.session(hub, bob, galaxies, ready_at=NOW - DAY, size="gone")
    Group.objects.filter(pk=galaxies.pk).update(closed_at=NOW - HOUR)

    shown = page(bob)

    assert '<option value="transients" selected>' in shown
    assert '<option value="tiny" selected>' in shown


def test_whose_home_is_full_reads_so_and_can_start_a_rescue_session(
    hub: Hub, stub: StubHub, bob: User
) -> None:
    Hub.objects.update(mode=Hub.Mode.DRIVE)
    StorageSample.objects.create(user=bob, mount="/home", taken_at=NOW, used_bytes=9, limit_bytes=9)
    shown = page(bob)
    assert "You cannot start one now." in shown
    assert "Your home is full. A rescue session has a home of its own for 60 minutes" in shown

    client = signed_in(bob)
    answer = client.post("/my/start/demo", {"rescue": "1"}, follow=True)

    session = Session.objects.get()
    assert (session.is_rescue, session.group, session.size) == (True, None, "tiny")
    assert stub.asked[0][2] == {"session": str(session.key), "rescue": "1"}
    after = answer.content.decode()
    assert "a rescue session, charged to nobody" in after
    explained = client.get(f"/sessions/{session.number}/").content.decode()
    assert (
        "It is a rescue session, to make room in a full home, and charged to nobody." in explained
    )


def test_somebody_whom_the_hub_calls_otherwise_is_started_by_that_name(
    hub: Hub, stub: StubHub, bob: User
) -> None:
    HubUserName.objects.create(hub=hub, user=bob, name="bbrandt")

    start(bob)

    assert stub.asked[0][1] == "/hub/api/users/bbrandt/server"


def running(hub: Hub, who: User, group: Group, **values: Any) -> Session:
    values = {"ready_at": NOW - HOUR, "ended_at": None, **values}
    return factories.charged_session(hub, who, group, **values)


def test_a_running_server_can_be_opened_and_stopped(
    hub: Hub, stub: StubHub, bob: User, transients: Group
) -> None:
    session = running(hub, bob, transients)
    assert 'href="https://hub.example.org/user/bob/"' in page(bob)

    shown = signed_in(bob).post(f"/my/stop/{session.key}", follow=True).content.decode()

    assert "Your server is stopping." in shown
    assert stub.asked == [("DELETE", "/hub/api/users/bob/server", None)]
    session.refresh_from_db()
    assert session.stop_requested_at == NOW
    assert "You can start the next one once it has ended." in shown


def test_one_server_at_the_hub_is_enough(hub: Hub, bob: User, transients: Group) -> None:
    running(hub, bob, transients)

    assert "Your server is running. Open or stop it below." in page(bob)


def test_a_server_of_another_name_does_not_close_the_form(
    hub: Hub, bob: User, transients: Group
) -> None:
    running(hub, bob, transients, server="second")

    assert 'name="size"' in page(bob)


def test_nobody_stops_the_server_of_another(
    hub: Hub, stub: StubHub, alice: User, bob: User, charlie: User, dora: User, transients: Group
) -> None:
    session = running(hub, bob, transients)

    for who in (alice, charlie, dora):
        assert signed_in(who).post(f"/my/stop/{session.key}").status_code == 404
    assert signed_in(bob).post(f"/my/stop/{uuid4()}").status_code == 404
    session.refresh_from_db()
    assert session.stop_requested_at is None
    assert stub.asked == []


def test_a_server_that_has_ended_is_not_stopped_again(
    hub: Hub, stub: StubHub, bob: User, transients: Group
) -> None:
    session = factories.charged_session(hub, bob, transients, ready_at=NOW - 2 * HOUR)

    shown = signed_in(bob).post(f"/my/stop/{session.key}", follow=True).content.decode()

    assert "That server had ended already." in shown
    assert stub.asked == []


def test_a_stop_that_the_hub_cannot_hear_is_told_and_stays_noted(
    hub: Hub, bob: User, transients: Group
) -> None:
    Hub.objects.filter(pk=hub.pk).update(api_url="http://127.0.0.1:9/hub/api")
    session = running(hub, bob, transients)

    shown = signed_in(bob).post(f"/my/stop/{session.key}", follow=True).content.decode()

    assert "does not answer" in shown
    session.refresh_from_db()
    assert session.stop_requested_at == NOW


def test_each_hub_has_a_form_of_its_own(hub: Hub, bob: User) -> None:
    factories.hub("north", title="Northern hub")

    shown = page(bob)

    assert "Start a notebook at Demo" in shown
    assert "Start a notebook at Northern hub" in shown
    assert 'id="id_north_size"' in shown


class TestSharedAccounts:
    @pytest.fixture
    def bob(self, bob: User, alice: User) -> User:
        """Bob's account is one that several people use; Alice answers for it."""
        User.objects.filter(pk=bob.pk).update(kind="bucket", owner=alice, expires_at=NOW + DAY)
        return bob

    def test_the_form_asks_who_it_is_and_nobody_elses_form_does(
        self, hub: Hub, bob: User, alice: User
    ) -> None:
        assert 'name="sub_name"' in page(bob)
        assert 'name="sub_name"' not in page(alice)

    def test_it_goes_with_the_start_to_the_hub_and_to_the_lists(
        self, hub: Hub, stub: StubHub, bob: User, alice: User
    ) -> None:
        start(bob, sub_name=" Zoë & Ann ")
        assert stub.asked[0][2]["sub_name"] == "Zoë & Ann"
        assert "Zoë &amp; Ann" in page(bob)
        of_group = signed_in(alice).get("/groups/transients/")
        assert "Zoë &amp; Ann" in of_group.content.decode()
        saved = signed_in(bob).get("/my/sessions.csv").getvalue().decode()
        assert [row["sub_name"] for row in csv.DictReader(saved.splitlines())] == ["Zoë & Ann"]

    @pytest.mark.parametrize(
        ("name", "words"), [("", "say who you are"), ("x" * 65, "at most 64 characters")]
    )
    def test_without_a_name_nothing_starts(
        self, hub: Hub, stub: StubHub, bob: User, name: str, words: str
    ) -> None:
        assert words in start(bob, sub_name=name)
        assert stub.asked == []
        assert not Session.objects.exists()
