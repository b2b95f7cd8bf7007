"""The records follow a hub's own list of servers, unless the list cannot be right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from itertools import pairwise

import pytest
import time_machine
from django.core.management import call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from lsp_portal.lib import clock
from sessions import tasks
from sessions.hub import client
from sessions.hub.secrets import issue_secret
from sessions.models import (
    Alert,
    Charge,
    HubEvent,
    HubReading,
    Repair,
    Session,
    Snapshot,
    SnapshotPart,
)
from sessions.reconciling.reconcile import reconcile
from tests.sessions.events.conftest import make_people
from tests.sessions.events.sender import START, Sender, make_sender
from tests.sessions.reconciling.listing_hub import ListingHub, listing_hub

MINUTE = timedelta(minutes=1)
ROUND = 5 * MINUTE


@pytest.fixture
def listing() -> Iterator[ListingHub]:
    with listing_hub() as hub:
        yield hub


@pytest.fixture
def sender(db: None, listing: ListingHub) -> Sender:
    make_people()
    made = make_sender()
    made.hub.api_url = listing.url
    made.hub.save(update_fields=["api_url"])
    issue_secret(made.hub, START - MINUTE)
    return made


def ask(sender: Sender, listing: ListingHub, minutes: int, *, confirmed: bool = False) -> bool:
    """Ask the hub so many minutes after the beginning of the story."""
    at = START + minutes * MINUTE
    listing.date = at
    return reconcile(sender.hub, at=at, confirmed=confirmed)


def bob_works(sender: Sender, listing: ListingHub) -> None:
    sender.take_in([sender.requested(-20), sender.ready(0)])
    listing.servers["bob"] = START - timedelta(seconds=10)


def crowd_works(sender: Sender, listing: ListingHub, size: int) -> None:
    for number in range(size):
        name = f"user-{number}"
        sender.take_in([sender.requested(-20, number, name), sender.ready(0, number, name)])
        listing.servers[name] = START - timedelta(seconds=10)


def alerts() -> list[str]:
    return [alert.kind for alert in Alert.objects.filter(resolved_at=None)]


class TestAnEndThatWasNeverReported:
    def test_two_answers_without_the_server_end_its_session_at_the_first(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        bob_works(sender, listing)
        assert ask(sender, listing, 5)
        listing.servers.clear()
        ask(sender, listing, 10)
        assert Session.objects.get().ended_at is None
        ask(sender, listing, 15)
        session = Session.objects.get()
        assert (session.ended_at, session.end_source) == (START + 10 * MINUTE, "rest")
        assert Charge.objects.get().ended_at == START + 10 * MINUTE
        repair = Repair.objects.get()
        assert (repair.session, repair.moment) == (session, START + 10 * MINUTE)
        assert repair.confidence == "high"
        assert "lack the server" in repair.said
        assert "up to 5 min earlier" in repair.changed

    def test_the_hubs_own_word_wins_whenever_it_comes(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        bob_works(sender, listing)
        listing.servers.clear()
        ask(sender, listing, 10)
        ask(sender, listing, 15)
        sender.take_in([sender.stopped(7 * 60)])
        session = Session.objects.get()
        assert (session.ended_at, session.end_source) == (START + 7 * MINUTE, "stop")
        assert Repair.objects.count() == 1  # what was done stays written

    def test_an_answer_and_a_snapshot_of_the_hub_are_two_witnesses(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        bob_works(sender, listing)
        sender.take_in([sender.snapshot(8 * 60, "hub's own")])
        listing.servers.clear()
        ask(sender, listing, 10)
        session = Session.objects.get()
        assert (session.ended_at, session.end_source) == (START + 8 * MINUTE, "snapshot")

    def test_a_later_server_in_its_place_is_not_its_own(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        bob_works(sender, listing)
        listing.servers["bob"] = START + 3 * MINUTE
        ask(sender, listing, 10)
        ask(sender, listing, 15)
        first, adopted = Session.objects.order_by("ready_at")
        assert (first.ended_at, first.end_source) == (START + 3 * MINUTE, "superseded")
        assert adopted.ready_at == START + 3 * MINUTE
        kinds = {repair.kind for repair in Repair.objects.all()}
        assert kinds == {"unrecorded", "adopted"}
        sender.take_in([sender.requested(170, 2), sender.ready(200, 2)])
        first, second = Session.objects.all().told_once().order_by("ready_at")
        assert (first.ended_at, first.end_source) == (START + timedelta(seconds=170), "superseded")
        assert second.ended_at is None

    def test_what_was_found_is_written_once(self, sender: Sender, listing: ListingHub) -> None:
        bob_works(sender, listing)
        listing.servers.clear()
        for minutes in (5, 10, 15, 20):
            ask(sender, listing, minutes)
        assert Repair.objects.count() == 1


class TestAServerWithoutASession:
    def test_it_is_told_at_first_and_no_more_when_its_events_come(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        listing.servers["bob"] = START
        ask(sender, listing, 10)
        assert alerts() == ["unrecorded"]
        assert Repair.objects.get().user_name == "bob"
        assert not Session.objects.exists()
        sender.take_in([sender.requested(0), sender.ready(10)])
        ask(sender, listing, 20)
        assert alerts() == []


class TestAnAnswerThatCannotBeRight:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"status": 500},
            {"status": 403, "body": b'{"message": "Missing or invalid credentials."}'},
            {"status": 404, "body": b'{"message": "Not found"}'},
            {"body": b"<html>welcome</html>"},
            {"body": b"[]"},
            {"body": b'{"items": "x"}'},
            {"body": b'{"items": [{"name": 1, "servers": {"": {}}}], "_pagination": {}}'},
            {"body": b'{"items": [], "_pagination": {"next": {"offset": 0}}}'},
        ],
    )
    def test_changes_nothing_and_is_one_alert(
        self,
        sender: Sender,
        listing: ListingHub,
        monkeypatch: pytest.MonkeyPatch,
        wrong: dict[str, object],
    ) -> None:
        monkeypatch.setattr(client, "MOST_PAGES", 5)
        bob_works(sender, listing)
        for name, value in wrong.items():
            setattr(listing, name, value)
        assert not ask(sender, listing, 5)
        assert not ask(sender, listing, 10)
        assert alerts() == ["hub_unread"]
        assert Session.objects.get().ended_at is None
        assert not HubReading.objects.exists()
        listing.status, listing.body = 200, None
        assert ask(sender, listing, 15)
        assert alerts() == []

    def test_a_hub_that_hangs_or_is_not_there_is_given_up_on(
        self, sender: Sender, listing: ListingHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client, "READ_SECONDS", 0.05)
        bob_works(sender, listing)
        listing.delay = 0.4
        assert not ask(sender, listing, 5)
        sender.hub.api_url = "http://127.0.0.1:9/hub/api"
        assert not ask(sender, listing, 10)
        assert (
            Alert.objects.get().detail
            == "demo does not answer. Try again later. Nothing was changed."
        )

    def test_an_empty_list_is_believed_when_it_comes_three_times(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        crowd_works(sender, listing, 12)
        ask(sender, listing, 5)
        listing.servers.clear()
        assert not ask(sender, listing, 10)
        assert not ask(sender, listing, 15)
        assert alerts() == ["hub_doubted"]
        assert Session.objects.open().count() == 12
        assert ask(sender, listing, 20)
        assert {session.ended_at for session in Session.objects.all()} == {START + 10 * MINUTE}
        assert alerts() == []

    def test_a_crowd_that_comes_back_has_never_been_away(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        crowd_works(sender, listing, 12)
        everybody = dict(listing.servers)
        listing.servers = {"user-0": everybody["user-0"]}
        ask(sender, listing, 10)
        ask(sender, listing, 15)
        listing.servers = everybody
        assert ask(sender, listing, 20)
        assert Session.objects.open().count() == 12
        assert alerts() == []

    def test_an_administrator_can_confirm_it(self, sender: Sender, listing: ListingHub) -> None:
        crowd_works(sender, listing, 12)
        listing.servers = {"user-0": listing.servers["user-0"]}
        ask(sender, listing, 10)
        at = START + 12 * MINUTE
        listing.date = at
        out = StringIO()
        with time_machine.travel(at, tick=False):
            call_command("reconcile_hubs", "--even-many", stdout=out)
        assert out.getvalue() == "Believed the answers of 1 hubs\n"
        assert Session.objects.open().count() == 1

    def test_another_hub_is_not_believed_however_often_it_answers(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        crowd_works(sender, listing, 3)
        listing.servers = {f"stranger-{n}": START for n in range(3)}
        assert not any(ask(sender, listing, minutes) for minutes in (5, 10, 15, 20, 25))
        assert "check the API URL" in Alert.objects.get().detail
        assert Session.objects.open().count() == 3

    def test_a_wrong_clock_is_not_believed_even_when_confirmed(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        bob_works(sender, listing)
        assert ask(sender, listing, 5)
        listing.date = START
        assert not reconcile(sender.hub, at=START + 2 * ROUND, confirmed=True)
        assert "mend the clock" in Alert.objects.get().detail


def test_the_task_asks_every_hub_with_an_address_and_none_twice_at_once(
    sender: Sender, listing: ListingHub, settings: Settings
) -> None:
    with time_machine.travel(START, tick=False):
        assert clock.now() == START
        assert tasks.reconcile_hubs() == 1
        assert tasks.reconcile_hubs() == 0
    entry = settings.CELERY_BEAT_SCHEDULE["reconcile-hubs"]
    assert entry == {"task": "sessions.tasks.reconcile_hubs", "schedule": 300.0}


@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kept=st.lists(st.integers(1, 12), unique=True, min_size=1),
    end=st.integers(1, 60),
    is_told=st.booleans(),
)
def test_more_answers_never_tell_an_end_worse_and_the_hubs_own_word_wins(
    sender: Sender, kept: list[int], end: int, is_told: bool
) -> None:
    """Lists every five minutes of which some are lost, in any order; the server ends at `end`."""
    for model in (Charge, Session, SnapshotPart, Snapshot, HubEvent):
        model.objects.all().delete()
    sender.take_in([sender.requested(-20), sender.ready(0)])
    before = None
    for count, place in enumerate(kept):
        users = ("bob",) if place * 5 < end else ()
        sender.take_in([sender.snapshot(place * 300, f"list {count}", users=users)])
        after = Session.objects.get().ended_at
        assert after is None or after >= START + end * MINUTE
        if before is not None and after is not None:
            assert after <= before
        before = after
    expected = [a for a, b in pairwise(sorted(kept)) if a * 5 >= end]
    assert before == (START + expected[0] * ROUND if expected else None)
    if is_told:
        sender.take_in([sender.stopped(end * 60)])
        told = Session.objects.get()
        assert (told.ended_at, told.end_source) == (START + end * MINUTE, "stop")
