"""What counts against the limits of a launch, to the millicore-second."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal

import pytest

from quotas.models import AllocationPeriod, ComputeQuota, Grant
from sessions import launch
from sessions.models import Session
from sessions.refusals import LaunchRefused
from tests.sessions.launch.platform import HOUR, NOW, Platform


def is_granted(platform: Platform, number: int, *, hours_later: float = 0, **changes: str) -> bool:
    ask = platform.ask(number, **{"server": str(number)} | changes)
    with suppress(LaunchRefused):
        launch.grant(platform.hub, ask, at=NOW + timedelta(hours=hours_later))
    return Session.objects.filter(key=ask.session).exists()


def test_used_held_and_own_hold_may_reach_the_quota_exactly(platform: Platform) -> None:
    platform.running()  # used 2, holds 1
    platform.quota("4")
    assert is_granted(platform, 1)
    assert not is_granted(platform, 2, size="tiny")


def test_a_millionth_of_a_core_hour_too_little_is_too_little(platform: Platform) -> None:
    platform.running()
    platform.quota("3.999999")
    assert not is_granted(platform, 1)


def test_grants_on_top_of_a_quota_count_while_they_are_in_force(platform: Platform) -> None:
    quota = platform.quota("0.5")
    Grant.objects.create(
        quota=quota, core_hours=Decimal("0.5"), reason="a workshop", author=platform.alice,
        valid_from=NOW + HOUR, valid_to=NOW + 3 * HOUR,
    )  # fmt: skip
    assert not is_granted(platform, 1)
    assert is_granted(platform, 2, hours_later=1)
    assert is_granted(platform, 3, hours_later=2)
    assert not is_granted(platform, 4, hours_later=3)


def test_the_hold_of_a_grant_is_free_when_its_lease_has_run_out(platform: Platform) -> None:
    platform.quota("1")
    assert is_granted(platform, 1)
    assert not is_granted(platform, 2, hours_later=0.99)
    assert is_granted(platform, 3, hours_later=1)
    assert Session.objects.get(server="1").state(at=NOW + HOUR) == Session.State.FAILED


def test_the_hold_of_an_ended_session_is_free_and_its_usage_is_not(platform: Platform) -> None:
    session = platform.running()
    platform.quota("3")
    assert not is_granted(platform, 1)
    Session.objects.update(ended_at=NOW, end_source="stop")
    session.charges.update(ended_at=NOW)
    assert is_granted(platform, 2, hours_later=3)


def test_a_longer_lease_holds_more(platform: Platform) -> None:
    platform.hub.lease_seconds = 7200
    platform.hub.save(update_fields=["lease_seconds"])
    platform.quota("3")
    assert is_granted(platform, 1)
    assert not is_granted(platform, 2)
    assert is_granted(platform, 3, size="tiny")


@pytest.mark.parametrize(("mode", "granted"), [("nominal", True), ("soft", False), ("hard", False)])
def test_a_nominal_quota_only_counts(platform: Platform, mode: str, granted: bool) -> None:
    platform.quota("0", mode=mode)
    assert is_granted(platform, 1) == granted


def test_without_a_quota_there_is_no_limit(platform: Platform) -> None:
    platform.quota("0", group=platform.galaxies)
    assert is_granted(platform, 1, size="large")


def test_between_two_periods_there_is_no_limit(platform: Platform) -> None:
    platform.quota("0")
    platform.period.ends_on = NOW.date()
    platform.period.save(update_fields=["ends_on"])
    assert is_granted(platform, 1)


def test_only_usage_of_the_current_period_counts(platform: Platform) -> None:
    platform.running()
    AllocationPeriod.objects.update(ends_on=NOW.date())
    current = AllocationPeriod.objects.create(
        title="from May", starts_on=NOW.date(), ends_on=date(2027, 1, 1)
    )
    ComputeQuota.objects.create(
        group=platform.transients, period=current, core_hours=Decimal(4), mode="hard"
    )
    assert is_granted(platform, 1)  # used 2 since midnight, held 1
    assert not is_granted(platform, 2)


def test_a_person_may_have_so_many_servers_at_once(platform: Platform) -> None:
    platform.hub.max_sessions_per_user = 2
    platform.hub.save(update_fields=["max_sessions_per_user"])
    assert [is_granted(platform, number) for number in range(4)] == [True, True, False, False]
    assert is_granted(platform, 9, user="alice")


def test_a_new_start_of_the_same_server_takes_the_place_of_the_old_one(platform: Platform) -> None:
    platform.hub.max_sessions_per_user = 1
    platform.hub.save(update_fields=["max_sessions_per_user"])
    assert is_granted(platform, 1, server="lab")
    assert is_granted(platform, 2, server="lab")
    assert not is_granted(platform, 3, server="other")
