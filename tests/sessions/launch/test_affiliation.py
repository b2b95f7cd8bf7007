"""Each session keeps what was known of its user's institution when it was theirs first."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
import time_machine

from accounts.models import Affiliation, User
from sessions import launch
from sessions.models import Session
from tests.sessions.events.sender import Sender
from tests.sessions.launch.platform import NOW, Platform

pytestmark = pytest.mark.django_db

LATER = timedelta(hours=10)


def assert_from(user: User, organisation: str, *, days: int = 0) -> None:
    Affiliation.objects.create(
        user=user,
        issuer="https://idp.example.org",
        claim="eduperson_scoped_affiliation",
        value=f"member@{organisation}",
        organisation=organisation,
        first_seen_at=NOW + timedelta(days=days),
        last_seen_at=NOW + timedelta(days=days),
    )


def kept() -> str:
    affiliation = Session.objects.get().affiliation
    return affiliation["organisation"] if affiliation else ""


def test_a_grant_keeps_the_affiliation_that_was_seen_last(platform: Platform) -> None:
    assert_from(platform.bob, "old.ac.uk", days=-30)
    assert_from(platform.bob, "ed.ac.uk", days=-1)
    launch.grant(platform.hub, platform.ask(1), at=NOW)
    assert kept() == "ed.ac.uk"
    assert_from(platform.bob, "new.ac.uk", days=1)
    launch.grant(platform.hub, platform.ask(1), at=NOW)
    assert kept() == "ed.ac.uk"


@pytest.mark.parametrize("order", permutations(range(3)), ids=str)
def test_events_keep_it_in_any_order_and_later_sign_ins_change_nothing(
    platform: Platform, order: tuple[int, ...]
) -> None:
    sender = Sender(platform.hub)
    assert_from(platform.bob, "ed.ac.uk", days=-1)
    events = [sender.requested(1), sender.ready(60), sender.stopped(120)]
    with time_machine.travel(NOW + LATER, tick=False):
        for number, place in enumerate(order):
            sender.take_in([events[place]])
            assert_from(platform.bob, f"later-{number}.ac.uk", days=1 + number)
    assert kept() == "ed.ac.uk"


def test_nobody_of_the_portal_has_none(platform: Platform) -> None:
    sender = Sender(platform.hub)
    with time_machine.travel(NOW + LATER, tick=False):
        sender.take_in([sender.ready(60, user="mallory")])
    assert Session.objects.get().affiliation is None
