"""A grant and the events of its session meet in one record, whichever comes first."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from accounts.models import Membership
from sessions import launch, usage
from sessions.grants import Ask, Grant
from sessions.models import Charge, Session
from sessions.refusals import LaunchRefused
from tests.sessions.events.sender import START, Sender, key
from tests.sessions.launch.platform import NOW, Platform

LATER = timedelta(hours=3)


@pytest.fixture
def sender(platform: Platform) -> Sender:
    assert START == NOW
    return Sender(platform.hub)


def grant(platform: Platform, number: int = 1, seconds: int = 0, **changes: str) -> Grant:
    ask: Ask = platform.ask(number, session=key(number), **changes)
    return launch.grant(platform.hub, ask, at=NOW + timedelta(seconds=seconds))


def used_hours(platform: Platform) -> str:
    start, end = platform.period.starts_at, platform.period.ends_at
    used = usage.used(group=platform.transients, start=start, end=end, at=NOW + LATER)
    return str(used.core_hours)


def test_a_granted_session_is_charged_to_the_group_of_the_grant(
    platform: Platform, sender: Sender
) -> None:
    grant(platform)
    with time_machine.travel(NOW + LATER, tick=False):
        sender.take_in(
            [
                sender.requested(1, checked=True),
                sender.ready(60),
                sender.stopped(60 + 3600),
            ]
        )
    session = Session.objects.get()
    assert (session.group, session.user) == (platform.transients, platform.bob)
    assert session.state(at=NOW + LATER) == Session.State.ENDED
    assert used_hours(platform) == "1.000000"


def test_a_member_who_left_after_the_grant_is_still_charged_to_the_group(
    platform: Platform, sender: Sender
) -> None:
    grant(platform)
    Membership.objects.filter(user=platform.bob).update(valid_to=NOW)
    with time_machine.travel(NOW + LATER, tick=False):
        wish = sender.requested(1, group="no-such-group", checked=True)
        sender.take_in([wish, sender.ready(60)])
    assert Charge.objects.get().group == platform.transients


def test_resources_come_from_the_grant_where_events_name_none(
    platform: Platform, sender: Sender
) -> None:
    grant(platform, size="large")
    with time_machine.travel(NOW + LATER, tick=False):
        sender.take_in([sender.ready(60), sender.stopped(60 + 3600)])
    assert used_hours(platform) == "4.000000"


def test_events_before_the_grant_are_joined_by_it(platform: Platform, sender: Sender) -> None:
    with time_machine.travel(NOW + LATER, tick=False):
        wish = sender.requested(1, group="no-such-group", checked=True)
        sender.take_in([wish, sender.ready(60)])
    assert Charge.objects.get().group is None
    granted = grant(platform, seconds=61)
    charge = Charge.objects.get()
    assert (charge.group, charge.user) == (platform.transients, platform.bob)
    assert charge.session.number == granted.number
    with time_machine.travel(NOW + LATER, tick=False):
        sender.take_in([sender.stopped(60 + 3600)])
    assert used_hours(platform) == "1.000000"


def test_a_server_that_failed_frees_its_hold_at_once(platform: Platform, sender: Sender) -> None:
    platform.quota("1")
    grant(platform)
    with time_machine.travel(NOW + timedelta(seconds=30), tick=False):
        sender.take_in([sender.failed(30)])
    grant(platform, 2, seconds=31)
    with pytest.raises(LaunchRefused, match="has ended"):
        grant(platform, 1, seconds=31)


def test_a_server_that_is_ready_after_its_lease_runs_and_is_charged(
    platform: Platform, sender: Sender
) -> None:
    grant(platform)
    with time_machine.travel(NOW + LATER, tick=False):
        sender.take_in([sender.ready(2 * 3600)])
    session = Session.objects.get()
    assert session.state(at=NOW + LATER) == Session.State.READY
    assert used_hours(platform) == "1.000000"


def test_usage_that_was_just_reported_counts_in_the_next_decision(
    platform: Platform, sender: Sender
) -> None:
    platform.quota("2")
    grant(platform)
    with time_machine.travel(NOW + LATER, tick=False):
        sender.take_in([sender.ready(0), sender.stopped(3601)])
    with pytest.raises(LaunchRefused) as refusal:
        grant(platform, 2, seconds=3602)
    assert refusal.value.facts["used"] == "1.000278"
    assert refusal.value.facts["fits"] == ["tiny"]
