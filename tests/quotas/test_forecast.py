"""Forecasts: worked examples, and what holds for any use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.forecast import DAY_SECONDS, Forecast, Pace, Workshop, forecast

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = NOW + timedelta(days=100)
DAYS = st.lists(st.integers(0, 10**12), min_size=7, max_size=28)


def steady(per_day: int) -> Pace:
    return Pace(float(per_day), 0.0)


def foresee(pace: Pace, remaining: int) -> Forecast:
    return forecast(pace, remaining=remaining, at=NOW, ends_at=END)


def test_steady_use_runs_out_to_the_second() -> None:
    found = foresee(steady(1000), 20_500)
    assert found.runs_out == found.earliest == found.latest == NOW + timedelta(days=20.5)
    assert found.expires.expected == 0


def test_steady_use_that_lasts_leaves_the_rest() -> None:
    found = foresee(steady(1000), 100_500)
    assert found.lasts
    assert (found.expires.low, found.expires.expected, found.expires.high) == (500, 500, 500)


def test_use_that_varies_has_a_band_around_the_same_middle() -> None:
    """m t + z s sqrt(t) = R with m = 100, z s = 128.16, R = 1,000."""
    found = foresee(Pace(100.0, 100.0), 1000)
    assert found.runs_out == NOW + timedelta(days=10)
    assert found.earliest is not None
    assert found.latest is not None
    early = (found.earliest - NOW).total_seconds() / DAY_SECONDS
    late = (found.latest - NOW).total_seconds() / DAY_SECONDS
    assert 100 * early + 128.16 * early**0.5 == pytest.approx(1000, rel=1e-4)
    assert 100 * late - 128.16 * late**0.5 == pytest.approx(1000, rel=1e-4)


def test_a_quota_that_is_expected_to_last_may_still_run_out_early() -> None:
    found = foresee(Pace(100.0, 100.0), 10_500)
    assert found.lasts
    assert found.earliest is not None
    assert found.expires.low == 0
    assert found.expires.expected == 500


def test_without_use_everything_expires() -> None:
    found = foresee(steady(0), 1234)
    assert found.lasts
    assert found.earliest is None
    assert found.expires.expected == 1234


def test_what_is_used_up_has_run_out_now() -> None:
    assert foresee(steady(5), 0).runs_out == NOW
    assert foresee(steady(5), -7).expires.expected == 0


def test_less_than_a_week_is_no_pace() -> None:
    assert Pace.of([5] * 6) is None
    assert Pace.of([5] * 7) == Pace(5.0, 0.0)


@given(days=DAYS, remaining=st.integers(-(10**12), 10**15))
def test_the_band_contains_the_expectation(days: list[int], remaining: int) -> None:
    pace = Pace.of(days)
    assert pace is not None
    early, middle, late = (pace.days_until(remaining, edge) for edge in (1.0, 0.0, -1.0))
    assert 0 <= early <= middle <= late <= inf
    found = foresee(pace, remaining)
    assert 0 <= found.expires.low <= found.expires.expected <= found.expires.high
    if found.runs_out is not None:
        assert found.expires.expected == 0


@given(days=DAYS, remaining=st.integers(1, 10**12), more=st.integers(1, 10**12))
def test_more_lasts_longer(days: list[int], remaining: int, more: int) -> None:
    pace = Pace.of(days)
    assert pace is not None
    for edge in (1.0, 0.0, -1.0):
        assert pace.days_until(remaining, edge) <= pace.days_until(remaining + more, edge)


def test_a_workshop_needs_people_times_size_times_time() -> None:
    plan = Workshop(people=20, cpu_millicores=1000, hours=6, days=3)
    assert plan.millicore_seconds == 20 * 1000 * 6 * 3600 * 3
    assert plan.people_within(plan.millicore_seconds) == 20
    assert plan.people_within(plan.millicore_seconds - 1) == 19
    assert plan.people_within(-5) == 0
