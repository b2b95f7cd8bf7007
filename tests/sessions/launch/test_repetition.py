"""Asking for a granted session again gives the same grant, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from accounts.models import Membership
from sessions import launch
from sessions.models import Charge, Session
from sessions.refusals import LaunchRefused
from tests.sessions.launch.platform import HOUR, NOW, Platform, session_key


def code_of(platform: Platform, number: int = 1, **changes: Any) -> str:
    at = changes.pop("at", NOW)
    with pytest.raises(LaunchRefused) as refusal:
        launch.grant(platform.hub, platform.ask(number, **changes), at=at)
    return refusal.value.code


def test_the_same_request_gets_the_same_answer_also_later_and_past_every_limit(
    platform: Platform,
) -> None:
    platform.quota("1")
    first = launch.grant(platform.hub, platform.ask(), at=NOW)
    platform.transients.closed_at = NOW
    platform.transients.save(update_fields=["closed_at"])
    Membership.objects.filter(user=platform.bob).update(valid_to=NOW)
    assert launch.grant(platform.hub, platform.ask(), at=NOW + HOUR / 2) == first
    assert Session.objects.count() == 1


def test_at_the_api_too_the_bodies_are_equal(platform: Platform) -> None:
    content = platform.ask().content() | {"session": str(session_key(1))}
    with time_machine.travel(NOW, tick=False):
        first = platform.send("POST", "sessions", content)
    with time_machine.travel(NOW + HOUR / 2, tick=False):
        again = platform.send(
            "POST", "sessions", content | {"session": str(session_key(1)).upper(), "new": 1}
        )
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content


@pytest.mark.parametrize(
    "change",
    [
        {"size": "tiny"},
        {"size": None},
        {"image": None},
        {"group": "galaxies"},
        {"server": "second"},
        {"actor": "alice"},
        {"user": "alice"},
        {"user": "zoe"},
    ],
    ids=str,
)
def test_other_content_is_a_conflict(platform: Platform, change: dict[str, Any]) -> None:
    launch.grant(platform.hub, platform.ask(), at=NOW)
    assert code_of(platform, **change) == "conflict"


def test_after_its_end_a_session_is_not_granted_again(platform: Platform) -> None:
    launch.grant(platform.hub, platform.ask(), at=NOW)
    Session.objects.update(ready_at=NOW, ended_at=NOW + HOUR, end_source="stop")
    assert code_of(platform, at=NOW + HOUR) == "ended"


def test_a_grant_that_ran_out_is_not_granted_again(platform: Platform) -> None:
    launch.grant(platform.hub, platform.ask(), at=NOW)
    launch.grant(platform.hub, platform.ask(), at=NOW + HOUR - timedelta(seconds=1))
    assert code_of(platform, at=NOW + HOUR) == "ended"


def test_a_running_session_still_has_its_grant(platform: Platform) -> None:
    first = launch.grant(platform.hub, platform.ask(), at=NOW)
    Session.objects.update(ready_at=NOW + HOUR / 2)
    assert launch.grant(platform.hub, platform.ask(), at=NOW + 5 * HOUR) == first


def test_two_hubs_may_use_one_session_id(platform: Platform) -> None:
    other = platform.hub
    launch.grant(platform.hub, platform.ask(), at=NOW)
    images, sizes = other.images.all(), other.sizes.all()
    other.pk, other.name = None, "other"
    other.save(force_insert=True)
    other.images.set(images)
    other.sizes.set(sizes)
    launch.grant(other, platform.ask(image="base"), at=NOW)
    assert Session.objects.filter(key=session_key(1)).count() == 2


class TestARecordThatEventsMadeBeforeTheGrant:
    """The portal's answer was late, or its request overtaken by the hub's events."""

    def made_by_events(self, platform: Platform, **changes: Any) -> Session:
        values = {"requested_at": NOW, "user": None, "group": None, "user_name": "bob"}
        ask = platform.ask()
        return Session.objects.create(
            hub=platform.hub,
            key=ask.session,
            server="",
            seat=ask.seat,
            **(values | changes),
        )

    def test_it_takes_the_grant(self, platform: Platform) -> None:
        record = self.made_by_events(platform)
        granted = launch.grant(platform.hub, platform.ask(), at=NOW)
        record.refresh_from_db()
        assert granted.number == record.number
        assert (record.user, record.group) == (platform.bob, platform.transients)
        assert record.granted_group == platform.transients
        assert launch.grant(platform.hub, platform.ask(), at=NOW) == granted

    def test_what_an_unchecked_start_attributed_stays(self, platform: Platform) -> None:
        record = self.made_by_events(
            platform, user=platform.bob, group=platform.galaxies, checked=False
        )
        launch.grant(platform.hub, platform.ask(), at=NOW)
        record.refresh_from_db()
        assert (record.group, record.granted_group) == (platform.galaxies, platform.transients)

    def test_where_it_runs_already_it_is_charged_with_what_was_granted(
        self, platform: Platform
    ) -> None:
        record = self.made_by_events(
            platform, ready_at=NOW, cpu_millicores=None, memory_mib=None, gpus=None
        )
        launch.grant(platform.hub, platform.ask(), at=NOW)
        charge = Charge.objects.get(session=record)
        assert (charge.group, charge.cpu_millicores) == (platform.transients, 1000)

    def test_where_it_runs_already_its_charge_gets_the_group(self, platform: Platform) -> None:
        record = self.made_by_events(platform, cpu_millicores=1000, ready_at=NOW)
        charge = Charge.objects.create(session=record, started_at=NOW, cpu_millicores=1000)
        launch.grant(platform.hub, platform.ask(), at=NOW)
        charge.refresh_from_db()
        assert (charge.group, charge.user) == (platform.transients, platform.bob)

    def test_its_own_hold_is_not_counted_twice(self, platform: Platform) -> None:
        platform.quota("1")
        self.made_by_events(
            platform,
            user=platform.bob,
            group=platform.transients,
            cpu_millicores=1000,
            ready_at=NOW,
        )
        assert launch.grant(platform.hub, platform.ask(), at=NOW).group == "transients"

    def test_an_ended_one_takes_none(self, platform: Platform) -> None:
        self.made_by_events(platform, ended_at=NOW, end_source="stop")
        assert code_of(platform) == "ended"
        assert Session.objects.get().granted_at is None

    def test_one_of_another_person_or_server_is_a_conflict(self, platform: Platform) -> None:
        self.made_by_events(platform, user_name="alice")
        assert code_of(platform) == "conflict"
        assert Session.objects.get().granted_at is None


def test_a_refused_request_leaves_no_trace_and_its_id_may_be_used_again(
    platform: Platform,
) -> None:
    platform.quota("0.5")
    assert code_of(platform) == "quota_exhausted"
    assert launch.grant(platform.hub, platform.ask(size="tiny"), at=NOW).size == "tiny"
    assert Charge.objects.count() == 0
