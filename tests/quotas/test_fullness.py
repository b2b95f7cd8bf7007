"""Steps of a storage quota: each counts once until it was clearly left."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.fullness import Rise, last_fall, last_rise
from quotas.growth import Point

FIRST = datetime(2026, 5, 1, 2, tzinfo=UTC)


def points(*percent: int) -> list[Point]:
    return [(FIRST + timedelta(days=number), amount) for number, amount in enumerate(percent)]


@pytest.mark.parametrize(
    ("percent", "step", "day"),
    [
        ((70, 80), 80, 2),
        ((70, 80, 89), 80, 2),
        ((70, 80, 90), 90, 3),
        ((70, 120), 100, 2),
        ((70, 80, 75, 80), 80, 2),
        ((70, 80, 74, 80), 80, 4),
        ((70, 92, 84, 91), 90, 4),
        ((70, 92, 85, 91), 90, 2),
    ],
)
def test_a_step_counts_from_the_day_it_was_reached(
    percent: tuple[int, ...], step: int, day: int
) -> None:
    assert last_rise(points(*percent), 100) == Rise(step, date(2026, 5, day))


@pytest.mark.parametrize("percent", [(), (79,), (81, 74), (70, 95, 84), (70, 100, 94)])
def test_below_all_steps_and_after_a_fall_there_is_nothing_to_tell(
    percent: tuple[int, ...],
) -> None:
    assert last_rise(points(*percent), 100) is None


def test_what_was_full_when_it_was_measured_first_has_no_day() -> None:
    assert last_rise(points(95, 96), 100) == Rise(90, None)


@given(st.lists(st.integers(0, 130), min_size=1, max_size=40))
def test_a_step_is_never_told_five_points_above_what_is_stored(percent: list[int]) -> None:
    rise = last_rise(points(*percent), 100)

    assert rise is None or percent[-1] >= rise.step - 5


@given(st.lists(st.integers(0, 130), min_size=1, max_size=40), st.integers(75, 79))
def test_hovering_below_a_step_changes_nothing(percent: list[int], hover: int) -> None:
    risen = points(*percent, 0, 80)

    assert last_rise(points(*percent, 0, 80, hover, 80), 100) == last_rise(risen, 100)


def test_a_fall_of_five_points_is_known_by_its_day() -> None:
    assert last_fall(points(10, 50, 46, 60), 100) is None
    assert last_fall(points(10, 50, 45, 60), 100) == date(2026, 5, 3)
