"""The ladder of a quota: worked examples, and what holds for any use."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.ladder import Delays, Ladder, Level, Outlook, Step, climb, outlook

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WRAP_UP = 15 * MINUTE
AMOUNTS = st.integers(0, 10**6)


def level(used: int, *, limit: int = 1000, rate: int = 0, stops: bool = True) -> Level:
    return Level(limit, used, rate, stops)


def steps(
    used: int,
    *,
    limit: int = 1000,
    stops: bool = True,
    known: Ladder | None = None,
    at: datetime = NOW,
) -> list[int]:
    """The new steps."""
    here = level(used, limit=limit, stops=stops)
    return [step.value for step in climb(known or Ladder(limit), here, wrap_up=WRAP_UP, at=at).new]


@pytest.mark.parametrize(
    ("used", "limit", "stops", "new"),
    [
        (0, 1000, True, []),
        (799, 1000, True, []),
        (800, 1000, True, [80]),
        (949, 1000, True, [80]),
        (950, 1000, True, [80, 95]),
        (999, 1000, True, [80, 95]),
        (1000, 1000, True, [80, 95, 100, 101]),
        (1000, 1000, False, [80, 95, 100]),
        (5000, 1000, True, [80, 95, 100, 101]),
        (0, 0, True, []),
        (1, 0, True, [80, 95, 100, 101]),
        (1, 0, False, [80, 95, 100]),
        (-5, 1000, True, []),
    ],
)
def test_the_first_look_takes_every_step_that_is_reached(
    used: int, limit: int, stops: bool, new: list[int]
) -> None:
    assert steps(used, limit=limit, stops=stops) == new


def test_a_step_is_taken_once() -> None:
    known = climb(Ladder(1000), level(950), wrap_up=WRAP_UP, at=NOW).ladder
    assert steps(960, known=known) == []
    assert steps(1000, known=known) == [100, 101]


EXHAUSTED = climb(Ladder(1000), level(1000), wrap_up=WRAP_UP, at=NOW).ladder


@pytest.mark.parametrize(
    ("minutes", "grace", "step", "next_at"),
    [
        (0, None, Step.WRAP_UP, 15),
        (14, None, Step.WRAP_UP, 15),
        (15, None, Step.STOP, None),
        (14, 120, Step.GRACE, 120),
        (119, 120, Step.GRACE, 120),
        (120, 120, Step.STOP, None),
    ],
)
def test_a_hard_quota_stops_after_the_wrap_up_or_the_grace(
    minutes: int, grace: int | None, step: Step, next_at: int | None
) -> None:
    ladder = replace(EXHAUSTED, grace_until=NOW + grace * MINUTE if grace else None)
    found = outlook(ladder, level(1000), wrap_up=WRAP_UP, at=NOW + minutes * MINUTE)
    assert found == Outlook(step, None, NOW + next_at * MINUTE if next_at else None)


def test_the_stop_is_a_step_and_an_earlier_grace_is_noted_as_passed_only_if_there_was_one() -> None:
    late = NOW + 3 * WRAP_UP
    assert steps(1000, known=EXHAUSTED, at=late) == [103]
    graced = replace(EXHAUSTED, grace_until=NOW + 2 * WRAP_UP)
    assert steps(1000, known=graced, at=late) == [102, 103]


class TestRearming:
    def test_a_raised_limit_rearms_what_is_no_longer_reached(self) -> None:
        found = climb(EXHAUSTED, level(1000, limit=1200), wrap_up=WRAP_UP, at=NOW)
        assert (found.ladder.taken, found.ladder.generation) == (Step.EIGHTY, 2)
        assert (found.ladder.exhausted_at, found.new) == (None, ())
        assert steps(1200, limit=1200, known=found.ladder) == [95, 100, 101]

    def test_a_raise_that_is_not_enough_changes_nothing(self) -> None:
        found = climb(EXHAUSTED, level(1100, limit=1050), wrap_up=WRAP_UP, at=NOW + MINUTE)
        assert found.ladder == replace(EXHAUSTED, limit=1050)

    def test_a_lowered_limit_does_not_repeat_what_was_said(self) -> None:
        known = climb(Ladder(1000), level(800), wrap_up=WRAP_UP, at=NOW).ladder
        found = climb(known, level(800, limit=900), wrap_up=WRAP_UP, at=NOW)
        assert (found.new, found.ladder.generation) == ((), 1)

    def test_a_correction_calls_the_end_off_and_repeats_no_percentage(self) -> None:
        found = climb(EXHAUSTED, level(500), wrap_up=WRAP_UP, at=NOW)
        assert (found.ladder.taken, found.ladder.exhausted_at) == (Step.NINETY_FIVE, None)
        assert steps(1000, known=found.ladder) == [100, 101]

    def test_another_mode_calls_the_end_off_until_it_is_hard_again(self) -> None:
        soft = climb(EXHAUSTED, level(1000, stops=False), wrap_up=WRAP_UP, at=NOW)
        assert (soft.ladder.taken, soft.ladder.generation, soft.new) == (Step.EXHAUSTED, 2, ())
        later = NOW + 5 * WRAP_UP
        hard = climb(soft.ladder, level(1000), wrap_up=WRAP_UP, at=later)
        assert hard.new == (Step.WRAP_UP,)
        assert hard.ladder.stops_at(WRAP_UP) == later + WRAP_UP


class TestOutlook:
    def test_at_the_present_rate(self) -> None:
        found = outlook(Ladder(1000), level(500, rate=3), wrap_up=WRAP_UP, at=NOW)
        seconds = timedelta(seconds=1)
        assert found == Outlook(Step.NONE, NOW + 167 * seconds, NOW + 100 * seconds)

    def test_while_nothing_runs(self) -> None:
        found = outlook(Ladder(1000), level(850), wrap_up=WRAP_UP, at=NOW)
        assert found == Outlook(Step.EIGHTY, None, None)

    def test_of_a_quota_that_lasts_longer_than_dates_go(self) -> None:
        found = outlook(Ladder(10**18), level(1, limit=10**18, rate=1), wrap_up=WRAP_UP, at=NOW)
        assert found == Outlook(Step.NONE, None, None)


@given(st.lists(AMOUNTS, min_size=1), st.integers(1, 10**6), st.booleans())
def test_while_use_grows_steps_only_rise_and_each_is_noted_once_without_a_gap(
    growth: list[int], limit: int, stops: bool
) -> None:
    ladder, used, noted = Ladder(limit), 0, list[Step]()
    for minute, more in enumerate(growth):
        used += more
        found = climb(
            ladder, level(used, limit=limit, stops=stops), wrap_up=WRAP_UP, at=NOW + minute * MINUTE
        )
        assert found.ladder.taken >= ladder.taken
        ladder = found.ladder
        noted += found.new
    top = max(noted, default=Step.NONE)
    assert noted == [step for step in Step if Step.NONE < step <= top and step is not Step.GRACE]


@given(st.lists(AMOUNTS, min_size=1), st.integers(0, 10**6), st.data())
def test_missed_ticks_only_make_it_later(
    growth: list[int], limit: int, data: st.DataObject
) -> None:
    """Soft, so that the moment of the tick does not count: the steps are the same in the end."""
    seen = data.draw(st.lists(st.booleans(), min_size=len(growth), max_size=len(growth)))
    seen[-1] = True
    every = some = Ladder(limit)
    noted, used = list[Step](), 0
    for more, is_seen in zip(growth, seen, strict=True):
        used += more
        here = level(used, limit=limit, stops=False)
        every = climb(every, here, wrap_up=WRAP_UP, at=NOW).ladder
        if is_seen:
            found = climb(some, here, wrap_up=WRAP_UP, at=NOW)
            some, noted = found.ladder, [*noted, *found.new]
    assert some == every
    assert noted == [step for step in Step if Step.NONE < step <= some.taken]


@given(AMOUNTS, st.integers(1, 10**6), st.integers(1, 10**4))
def test_at_the_moment_foreseen_the_quota_is_used_up_and_a_second_before_it_is_not(
    used: int, limit: int, rate: int
) -> None:
    due = level(used, limit=limit, rate=rate).due(Step.EXHAUSTED, at=NOW)
    assert due is not None
    seconds = int((due - NOW).total_seconds())
    assert used + seconds * rate >= limit
    assert seconds == 0 or used + (seconds - 1) * rate < limit


def test_the_overshoot_bound_is_the_rate_times_what_passes_until_the_last_stop() -> None:
    delays = Delays(MINUTE, 15 * MINUTE, 120 * MINUTE, MINUTE, most_stops=50)
    assert delays.overshoot(1000, sessions=1) == 1000 * (2 + 120 + 1) * 60
    assert delays.overshoot(1000, sessions=51) == 1000 * (3 + 120 + 1) * 60
    assert delays.overshoot(1000, sessions=1, retroactive=7) == 1000 * 123 * 60 + 7
    longer = replace(delays, wrap_up=180 * MINUTE)
    assert longer.overshoot(2000, sessions=1) == 2000 * (2 + 180 + 1) * 60
