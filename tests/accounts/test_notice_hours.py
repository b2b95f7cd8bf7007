"""Quiet hours and the hour of the daily mail, also on the days on which the clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from accounts.notices.hours import Quiet, after_quiet, next_digest

BERLIN = ZoneInfo("Europe/Berlin")  # 2026-03-29 has no 02:30, 2026-10-25 has two
NIGHT = Quiet(time(22), time(7))
STEP = timedelta(minutes=15)

zones = some.sampled_from(
    ["UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu"]
).map(ZoneInfo)
quarters = some.builds(time, some.integers(0, 23), some.sampled_from([0, 15, 30, 45]))
moments = some.builds(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes),
    some.integers(0, 2 * 365 * 24 * 60),
)


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


def wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-05-04 21:59", "2026-05-04 21:59"),
        ("2026-05-04 22:00", "2026-05-05 07:00"),
        ("2026-05-05 06:59", "2026-05-05 07:00"),
        ("2026-05-05 07:00", "2026-05-05 07:00"),
        ("2026-03-28 23:00", "2026-03-29 07:00"),
        ("2026-10-24 23:00", "2026-10-25 07:00"),
    ],
)
def test_a_night_ends_when_the_clock_on_the_wall_says_so(at: str, end: str) -> None:
    assert after_quiet(berlin(at), NIGHT, BERLIN) == berlin(end)


def test_the_nights_of_the_changes_are_an_hour_shorter_and_longer() -> None:
    spring, autumn = berlin("2026-03-28 22:00"), berlin("2026-10-24 22:00")
    assert after_quiet(spring, NIGHT, BERLIN) - spring == timedelta(hours=8)
    assert after_quiet(autumn, NIGHT, BERLIN) - autumn == timedelta(hours=10)


def test_an_end_that_the_clock_leaves_out_comes_with_the_time_that_is_left_out() -> None:
    quiet = Quiet(time(22), time(2, 30))
    assert after_quiet(berlin("2026-03-29 01:59"), quiet, BERLIN) == berlin("2026-03-29 03:30")


def test_an_end_that_comes_twice_counts_each_time() -> None:
    quiet = Quiet(time(22), time(2, 30))
    first = after_quiet(berlin("2026-10-25 02:10"), quiet, BERLIN)
    second = after_quiet(berlin("2026-10-25 02:10", fold=1), quiet, BERLIN)
    assert second - first == timedelta(hours=1)
    assert first == berlin("2026-10-25 02:30")


@given(moments, quarters, quarters, zones)
def test_mails_wait_for_the_end_of_the_quiet_hours_and_no_longer(
    at: datetime, begins: time, ends: time, zone: ZoneInfo
) -> None:
    assume(begins != ends)
    quiet = Quiet(begins, ends)
    found = after_quiet(at, quiet, zone)
    assert found >= at
    assert not quiet.holds(found, zone)
    changed = abs(wall(found, zone) - wall(at, zone) - (found - at))
    moment = at
    while moment < found - changed:
        assert quiet.holds(moment, zone)
        moment += STEP


@given(moments, some.integers(0, 23), zones)
def test_there_is_one_hour_of_the_daily_mail_in_each_day(
    at: datetime, hour: int, zone: ZoneInfo
) -> None:
    days, moment = [], at
    for _ in range(5):
        following = next_digest(moment, hour, zone)
        assert moment < following <= moment + timedelta(hours=26)
        days.append(following.astimezone(zone).date())
        moment = following
    assert days == [days[0] + timedelta(days=number) for number in range(5)]
