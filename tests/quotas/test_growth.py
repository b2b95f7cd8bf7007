"""When files reach their quota: a straight line, whatever a few days did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from quotas.growth import DAY, FEWEST, Growth

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def points(*used: int) -> list[tuple[datetime, int]]:
    return [(NOW - (len(used) - 1 - number) * DAY, amount) for number, amount in enumerate(used)]


def test_ten_a_day_reach_the_limit_after_four_days() -> None:
    found = Growth.of(points(*range(0, 70, 10)))

    assert found is not None
    assert found.full_at(100) == NOW + 4 * DAY


def test_one_large_copy_that_was_deleted_changes_no_date() -> None:
    used = list(range(0, 300, 10))
    used[12] = 10_000

    found = Growth.of(points(*used))

    assert found is not None
    assert found.full_at(390) == NOW + 10 * DAY


def test_a_few_days_say_nothing() -> None:
    assert Growth.of(points(*range(FEWEST - 1))) is None
    assert Growth.of(points(*range(FEWEST))) is not None


def test_what_shrinks_stays_or_creeps_does_not_become_full() -> None:
    for used in (range(70, 0, -10), [50] * 7, range(7)):
        found = Growth.of(points(*used))
        assert found is not None
        assert found.full_at(10**9) is None


def test_what_is_full_is_full_since_it_was_measured() -> None:
    found = Growth.of(points(*range(7)))

    assert found is not None
    assert found.full_at(6) == NOW


@given(st.lists(st.integers(0, 2**60), min_size=FEWEST, max_size=30), st.integers(0, 2**62))
def test_it_is_full_after_the_last_measurement_and_within_five_years(
    used: list[int], limit: int
) -> None:
    found = Growth.of(points(*used))

    assert found is not None
    full_at = found.full_at(limit)
    if full_at is not None:
        assert NOW <= full_at <= NOW + timedelta(days=5 * 365 + 1)
