"""Admission is arithmetic on whole millicore-seconds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.admission import Balance, Cap, Caps, Limits, Load, Reached, hold, reached

AMOUNTS = st.integers(min_value=0, max_value=10**18)
MOMENT = datetime(2027, 1, 1, tzinfo=UTC)


def balance(limit: int | None, used: int = 0, held: int = 0, *, enforced: bool = True) -> Balance:
    limits = None if limit is None else Limits(limit, enforced=enforced, resets_at=MOMENT)
    return Balance(used, held, limits)


def test_what_reaches_the_limit_exactly_is_admitted_and_one_more_is_not() -> None:
    assert balance(100, used=40, held=30).admits(30)
    assert not balance(100, used=40, held=30).admits(31)


def test_without_a_quota_everything_is_admitted_and_nothing_is_limited() -> None:
    assert balance(None, used=10**18).admits(10**18)
    assert balance(None).remaining is None


def test_a_nominal_quota_counts_but_never_refuses() -> None:
    nominal = balance(100, used=500, held=20, enforced=False)
    assert nominal.admits(1)
    assert nominal.remaining == -420


def test_a_hold_is_the_rate_times_the_lease() -> None:
    assert hold(500, 3600) == 1_800_000


def test_the_sizes_that_fit_keep_their_order() -> None:
    holds = {"large": 40, "tiny": 5, "medium": 20, "small": 10}
    assert balance(100, used=80).fitting(holds) == ["tiny", "medium", "small"]


@given(limit=AMOUNTS, used=AMOUNTS, held=AMOUNTS, own=AMOUNTS)
def test_admitted_means_that_the_sum_stays_within_the_limit(
    limit: int, used: int, held: int, own: int
) -> None:
    assert balance(limit, used, held).admits(own) == (used + held + own <= limit)


@given(limit=AMOUNTS, own=st.integers(min_value=1, max_value=10**12))
def test_holds_admitted_one_after_the_other_never_overshoot_and_leave_less_than_one(
    limit: int, own: int
) -> None:
    fits = limit // own
    assert balance(limit, held=fits * own).remaining == limit - fits * own
    assert fits == 0 or balance(limit, held=(fits - 1) * own).admits(own)
    assert not balance(limit, held=fits * own).admits(own)


@given(limit=AMOUNTS, used=AMOUNTS, held=AMOUNTS, own=AMOUNTS, more=AMOUNTS)
def test_more_use_never_admits_what_less_use_refuses(
    limit: int, used: int, held: int, own: int, more: int
) -> None:
    assert balance(limit, used, held).admits(own) or not balance(limit, used + more, held).admits(
        own
    )


LOAD = Load(member_used=30, member_held=20, member_sessions=2, sessions=5, gpus=3)


@pytest.mark.parametrize(
    ("caps", "expected"),
    [
        (Caps(), None),
        (Caps(member_sessions=3, sessions=6, gpus=4, member_millicore_seconds=60), None),
        (Caps(member_sessions=2), Reached(Cap.MEMBER_SESSIONS, 2, 2)),
        (Caps(sessions=5), Reached(Cap.SESSIONS, 5, 5)),
        (Caps(sessions=0), Reached(Cap.SESSIONS, 0, 5)),
        (Caps(gpus=3), Reached(Cap.GPUS, 3, 3)),
        (Caps(member_millicore_seconds=59), Reached(Cap.MEMBER_HOURS, 59, 50)),
        (Caps(member_millicore_seconds=1, gpus=1), Reached(Cap.GPUS, 1, 3)),
        (Caps(sessions=1, member_sessions=1), Reached(Cap.MEMBER_SESSIONS, 1, 2)),
    ],
)
def test_the_first_cap_that_one_more_session_would_break(
    caps: Caps, expected: Reached | None
) -> None:
    assert reached(caps, LOAD, gpus=1, hold=10) == expected


def test_a_session_without_gpus_breaks_no_cap_of_gpus() -> None:
    assert reached(Caps(gpus=0), LOAD, gpus=0, hold=10) is None
