"""Servers that a hub has and of which no event arrived become sessions, and are charged once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import count, pairwise
from random import Random
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounting.audit.records import RECORDS
from accounts.models import Group, Membership, User
from sessions.hub.pages import Server
from sessions.hub.seats import seat
from sessions.hub.secrets import issue_secret
from sessions.models import Alert, Charge, HubEvent, Repair, Session, Size
from sessions.reconciling.adopting import take_in
from sessions.reconciling.decisions import Begin, Sighting, begin
from sessions.reconciling.reconcile import reconcile
from tests.sessions.events.conftest import make_people
from tests.sessions.events.sender import START, Sender, make_sender
from tests.sessions.reconciling.listing_hub import ListingHub, listing_hub

MINUTE = timedelta(minutes=1)
HUBS = count(1)
CHOSEN = {"group": "transients", "image": "base", "size": "small"}


@pytest.fixture
def listing() -> Iterator[ListingHub]:
    with listing_hub() as hub:
        hub.options = dict(CHOSEN)
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


def asked_twice(sender: Sender, listing: ListingHub) -> None:
    for minutes in (10, 15):
        ask(sender, listing, minutes)


def alerts() -> list[str]:
    return [alert.kind for alert in Alert.objects.filter(resolved_at=None)]


class TestAServerOfWhichNoEventArrived:
    def test_two_lists_make_it_a_session_from_its_start_on(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        listing.servers["bob"] = START
        ask(sender, listing, 10)
        assert not Session.objects.exists()
        assert alerts() == ["unrecorded"]
        ask(sender, listing, 15)
        session = Session.objects.get()
        assert (session.user, session.group, session.ready_at) == (
            User.objects.get(username="bob"), Group.objects.get(name="transients"), START,
        )  # fmt: skip
        charge = Charge.objects.get()
        assert (charge.started_at, charge.ended_at, charge.cpu_millicores) == (START, None, 1000)
        repair = Repair.objects.get(kind="adopted")
        assert (repair.session, repair.confidence) == (session, "high")
        assert "charged to transients with the size small" in repair.changed
        assert alerts() == []
        ask(sender, listing, 20)
        assert Session.objects.count() == 1
        assert Repair.objects.filter(kind="adopted").count() == 1

    def test_it_ends_as_others_do_by_the_lists(self, sender: Sender, listing: ListingHub) -> None:
        listing.servers["bob"] = START
        asked_twice(sender, listing)
        listing.servers.clear()
        ask(sender, listing, 20)
        ask(sender, listing, 25)
        session = Session.objects.get()
        assert (session.ended_at, session.end_source) == (START + 20 * MINUTE, "rest")

    @pytest.mark.parametrize(
        ("options", "is_charged"),
        [
            ({}, False),
            ({"group": "transients"}, False),
            ({**CHOSEN, "size": "gigantic"}, False),
            ({**CHOSEN, "size": ["small"]}, False),
            ({**CHOSEN, "group": "galaxies"}, True),
            ({**CHOSEN, "group": {"x": 1}}, True),
            ({"size": "small"}, True),
            ("nonsense", False),
            (None, False),
        ],
    )
    def test_what_is_not_known_is_paid_by_nobody_and_stands_in_the_queue(
        self, sender: Sender, listing: ListingHub, options: Any, is_charged: bool
    ) -> None:
        listing.servers["bob"], listing.options = START, options
        asked_twice(sender, listing)
        session = Session.objects.unattributed().get()
        assert session.user is not None
        charges = Charge.objects.values_list("group", flat=True)
        assert list(charges) == ([None] if is_charged else [])
        repair = Repair.objects.get(kind="adopted")
        assert "charged to nobody" in repair.changed
        assert repair.confidence == "medium"

    def test_who_was_no_member_then_does_not_charge_the_group(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        Membership.objects.filter(user__username="bob").update(valid_from=START + MINUTE)
        listing.servers["bob"] = START
        asked_twice(sender, listing)
        assert Session.objects.unattributed().count() == 1

    def test_somebody_unknown_is_recorded_by_the_hubs_name(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        listing.servers["mallory"] = START
        asked_twice(sender, listing)
        session = Session.objects.unattributed().get()
        assert (session.user, session.user_name) == (None, "mallory")

    def test_another_server_in_the_next_list_is_not_the_same(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        listing.servers["bob"] = START
        ask(sender, listing, 10)
        listing.servers["bob"] = START + 4 * MINUTE
        ask(sender, listing, 15)
        assert not Session.objects.exists()

    def test_what_its_own_events_ended_is_not_made_again(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        sender.take_in([sender.requested(0), sender.ready(10), sender.stopped(60)])
        listing.servers["bob"] = START
        asked_twice(sender, listing)
        assert Session.objects.count() == 1
        assert alerts() == ["unrecorded"]

    def test_many_at_once_are_refused_until_an_administrator_confirms(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        listing.page = 20
        listing.servers = {f"user-{number}": START for number in range(11)}
        asked_twice(sender, listing)
        assert not Session.objects.exists()
        assert "--even-many" in Alert.objects.get().detail
        ask(sender, listing, 20, confirmed=True)
        assert Session.objects.count() == 11
        assert alerts() == []

    def test_its_own_events_count_instead_when_they_come(
        self, sender: Sender, listing: ListingHub
    ) -> None:
        listing.servers["bob"] = START
        asked_twice(sender, listing)
        sender.take_in([sender.requested(-2), sender.ready(8), sender.stopped(3600)])
        adopted, told = Session.objects.order_by("number")
        assert adopted.is_told_by_another
        assert (told.ready_at, told.ended_at) == (
            START + timedelta(seconds=8), START + timedelta(hours=1),
        )  # fmt: skip
        assert list(Session.objects.all().told_once()) == [told]
        lengths = sorted(
            charge.ended_at - charge.started_at
            for charge in Charge.objects.all()
            if charge.ended_at
        )
        assert lengths == [timedelta(), timedelta(seconds=3592)]
        call_command("audit_usage", stdout=StringIO())


def lists(*sightings: tuple[int, datetime | None]) -> list[Sighting]:
    """Lists of so many minutes after the start, the newest first, with Bob's server or without."""
    place = seat("bob", "")
    return [
        Sighting(START + minutes * MINUTE, {place: started} if started else {})
        for minutes, started in sightings
    ]


@pytest.mark.parametrize(
    ("started", "before", "expected"),
    [
        (START, lists((10, START)), Begin(START, True)),
        (START, lists((10, START), (5, START), (-5, None)), Begin(START, True)),
        (START, lists((10, START), (5, None)), Begin(START + 10 * MINUTE, False)),
        (datetime(2020, 1, 1, tzinfo=UTC), [], Begin(START + 15 * MINUTE, False)),
    ],
)
def test_the_start_by_the_hub_counts_unless_a_list_denies_it(
    started: datetime, before: list[Sighting], expected: Begin
) -> None:
    server = Server("bob", "", True, None, started)
    assert begin(server, before, seen_at=START + 15 * MINUTE) == expected


# The story of one place: a server before (session 1), the one that is adopted (session 2), and one
# after it (session 3). The plugin may have lost any of its events, and they come in any order.
FROM, SEEN = 100, 900
PARTS = ("asked 1", "ready 1", "stop 1", "asked 2", "ready 2", "stop 2", "asked 3", "ready 3")


def told(sender: Sender, part: str, shift: int, end: int) -> dict[str, Any]:
    """An event of the story; session 2 is asked for `shift` seconds beside the start."""
    events = {
        "asked 1": lambda: sender.requested(-500, 1),
        "ready 1": lambda: sender.ready(-490, 1),
        "stop 1": lambda: sender.stopped(20, 1),
        "asked 2": lambda: sender.requested(FROM + shift, 2),
        "ready 2": lambda: sender.ready(FROM + 30, 2),
        "stop 2": lambda: sender.stopped(end, 2),
        "asked 3": lambda: sender.requested(5000, 3),
        "ready 3": lambda: sender.ready(5020, 3),
    }
    return events[part]()


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def adopt(sender: Sender, ready: int) -> None:
    server = Server("bob", "", True, None, at(FROM), CHOSEN)
    size = Size.objects.get(name="small")
    begins = Begin(at(ready), ready == FROM)
    take_in(sender.hub, server, begins, size, seen_at=at(SEEN), at=START)


def play(
    events: list[dict[str, Any]], order: list[int], *, ready: int
) -> tuple[Sender, list[tuple[Any, ...]]]:
    """Deliver the events in that order to a hub of its own; the last number is the adoption."""
    sender = make_sender(f"adopting-{next(HUBS)}")
    for place in order:
        if place == len(events):
            adopt(sender, ready)
        else:
            sender.take_in([events[place]])
    rows = [
        (s.requested_at, s.ready_at, s.superseded_at, s.ended_at, s.end_source, s.adopted_until)
        for s in Session.objects.filter(hub=sender.hub)
    ]
    return sender, sorted(rows, key=str)


@hypothesis_settings(
    max_examples=20, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    parts=st.lists(st.sampled_from(PARTS), unique=True),
    shift=st.integers(-90, 30),
    end=st.sampled_from([400, 2000, 4000]),
    ready=st.sampled_from([FROM, FROM + 300]),
    random=st.randoms(use_true_random=False),
)
@pytest.mark.django_db
def test_whatever_arrives_in_whatever_order_one_charge_counts_at_a_time(
    people: None, parts: list[str], shift: int, end: int, ready: int, random: Random
) -> None:
    teller = Sender(make_sender(f"teller-{next(HUBS)}").hub)
    events = [told(teller, part, shift, end) for part in parts]
    in_order = [*range(len(events)), len(events)]
    _, expected = play(events, in_order, ready=ready)
    sender, found = play(events, random.sample(in_order, len(in_order)), ready=ready)
    assert found == expected
    charges = Charge.objects.filter(session__hub=sender.hub).order_by("started_at")
    spans = [
        (charge.started_at, charge.ended_at or at(9999))
        for charge in charges
        if charge.ended_at != charge.started_at
    ]
    assert all(first[1] <= second[0] for first, second in pairwise(spans)), spans
    moment = at(350 if {"asked 2", "ready 2"} <= set(parts) else ready + 1)
    assert len([span for span in spans if span[0] <= moment < span[1]]) == 1
    assert HubEvent.objects.filter(hub=sender.hub).count() == len(events) + 2
    assert the_audit_objects_to() is None


def the_audit_objects_to() -> object:
    """The first record that does not follow from its events, as the audit computes it."""
    with connection.cursor() as cursor:
        cursor.execute(RECORDS)
        return cursor.fetchone()


@pytest.fixture
def people(db: None) -> None:
    make_people()
