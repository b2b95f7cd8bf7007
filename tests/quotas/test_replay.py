"""The replay of a policy: worked examples, and what holds for any history."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from quotas.ladder import PERCENTAGES
from quotas.models import ComputeQuota
from quotas.replay import Mode, Piece, Policy, Reason, Replay, replay

ALICE, BOB = 1, 2
END = 1000
ENFORCED = st.sampled_from([Mode.SOFT, Mode.HARD])


def piece(session: int, start: int, end: int, rate: int = 1, person: int = ALICE) -> Piece:
    return Piece(session, 1, person, start, end, rate)


def run(history: list[Piece], policy: Policy, start: int = 0) -> Replay:
    return replay(history, policy, start=start, end=END)


def refusals(found: Replay) -> list[tuple[int, Reason | None, int]]:
    return [(one.session, one.reason, one.amount) for one in found.refused]


def test_a_launch_after_the_quota_is_used_up_is_refused_with_what_it_used() -> None:
    history = [piece(1, 0, 100), piece(2, 99, 109), piece(3, 120, 170, rate=2)]
    found = run(history, Policy(quota=100))
    assert refusals(found) == [(3, Reason.QUOTA, 100)]
    assert found.used[1] == 210
    assert found.not_used()[1] == 100


def test_warnings_come_at_the_first_second_that_reaches_them() -> None:
    found = run([piece(1, 0, 60, rate=2)], Policy(quota=101, mode=Mode.NOMINAL))
    assert [(one.percent, one.at) for one in found.warned] == [(80, 41), (95, 48), (100, 51)]
    assert found.lost == []


def test_a_hard_quota_stops_what_runs_and_counts_what_was_not_used() -> None:
    history = [piece(1, 0, 50), piece(2, 10, 80, rate=3), piece(3, 90, 91)]
    found = run(history, Policy(quota=50, mode=Mode.HARD))  # 10 + 4 a second: 50 at second 20
    assert [(one.session, one.at, one.amount) for one in found.stopped] == [
        (1, 20, 30),
        (2, 20, 180),
    ]
    assert refusals(found) == [(3, Reason.QUOTA, 1)]


def test_a_quota_of_nothing_stops_what_ran_before_at_its_first_second() -> None:
    found = run([piece(1, -1, 2)], Policy(quota=0, mode=Mode.HARD))
    assert [(one.at, one.amount) for one in found.stopped] == [(1, 1)]


def test_a_stopped_session_takes_its_later_workers_along() -> None:
    history = [piece(1, 0, 100), piece(1, 60, 70, rate=5)]
    found = run(history, Policy(quota=50, mode=Mode.HARD))
    assert [(one.session, one.amount) for one in found.stopped] == [(1, 100)]


def test_a_refused_session_takes_its_workers_along() -> None:
    history = [piece(1, 0, 60), piece(2, 60, 100), piece(2, 70, 80, rate=4)]
    assert refusals(run(history, Policy(quota=50))) == [(2, Reason.QUOTA, 80)]


def test_what_ran_before_the_window_counts_and_is_no_launch() -> None:
    history = [piece(1, -50, 30), piece(2, 40, 50)]
    assert refusals(run(history, Policy(quota=30))) == [(2, Reason.QUOTA, 10)]
    assert refusals(run(history, Policy(quota=0))) == [(2, Reason.QUOTA, 10)]


def test_caps_of_sessions_look_at_what_runs_at_that_moment() -> None:
    history = [piece(1, 0, 50), piece(2, 10, 60), piece(3, 20, 30, person=BOB), piece(4, 60, 70)]
    assert refusals(run(history, Policy(member_sessions=1))) == [(2, Reason.MEMBER_SESSIONS, 50)]
    assert refusals(run(history, Policy(group_sessions=2))) == [(3, Reason.GROUP_SESSIONS, 10)]


def test_core_hours_of_a_member_leave_the_others_alone() -> None:
    history = [piece(1, 0, 50), piece(2, 40, 60), piece(3, 41, 60, person=BOB)]
    found = run(history, Policy(member_hours=40))
    assert refusals(found) == [(2, Reason.MEMBER_HOURS, 20)]


def test_groups_do_not_share_a_quota() -> None:
    history = [piece(1, 0, 50), replace(piece(2, 60, 70), group=2)]
    assert run(history, Policy(quota=50)).lost == []


def test_a_correction_gives_back() -> None:
    history = [piece(1, 0, 50), piece(1, 0, 50, rate=-1), piece(2, 60, 70)]
    assert run(history, Policy(quota=50)).lost == []


@st.composite
def histories(draw: st.DrawFn) -> list[Piece]:
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(-20, 200), st.integers(0, 80), st.integers(1, 5), st.integers(1, 3)
            ),
            max_size=30,
        )
    )
    rows.sort()
    return [
        Piece(number, 1, person, start, start + length, rate)
        for number, (start, length, rate, person) in enumerate(rows)
    ]


@given(histories())
def test_no_limits_refuse_nobody(history: list[Piece]) -> None:
    found = run(history, Policy())
    assert (found.lost, found.warned) == ([], [])


@given(histories(), st.integers(0, 2000))
def test_a_nominal_quota_only_warns(history: list[Piece], quota: int) -> None:
    assert run(history, Policy(quota=quota, mode=Mode.NOMINAL)).lost == []


@given(histories(), st.integers(0, 2000), st.integers(0, 2000), ENFORCED)
def test_a_lower_quota_never_lets_more_be_used(
    history: list[Piece], one: int, other: int, mode: Mode
) -> None:
    lower, higher = (
        run(history, Policy(quota=quota, mode=mode)).not_used()[1] for quota in sorted((one, other))
    )
    assert lower >= higher


@given(histories(), st.integers(0, 2000), ENFORCED)
def test_a_history_that_kept_to_the_quota_stays_as_it_is(
    history: list[Piece], quota: int, mode: Mode
) -> None:
    policy = Policy(quota=quota, mode=mode)
    kept = kept_of(history, run(history, policy))
    assert run(kept, policy).lost == []


@given(histories(), st.integers(1, 2000), ENFORCED)
def test_what_is_used_and_what_is_not_add_up_to_the_history(
    history: list[Piece], quota: int, mode: Mode
) -> None:
    found = run(history, Policy(quota=quota, mode=mode))
    amount = sum(piece.rate * max(0, piece.end - max(piece.start, 0)) for piece in history)
    rest = sum(
        piece.rate * max(0, piece.end - max(piece.start, 0)) for piece in kept_of(history, found)
    )
    assert found.used[1] == amount
    assert amount - found.not_used()[1] == rest


@given(histories(), st.integers(1, 2000))
def test_a_hard_quota_is_passed_by_less_than_a_second_of_use(
    history: list[Piece], quota: int
) -> None:
    found = run(history, Policy(quota=quota, mode=Mode.HARD))
    most = sum(piece.rate for piece in history)
    assert found.used[1] - found.not_used()[1] < quota + max(most, 1)


@given(histories(), st.integers(1, 2000))
def test_warnings_come_once_and_in_order(history: list[Piece], quota: int) -> None:
    percents = [one.percent for one in run(history, Policy(quota=quota)).warned]
    assert percents == list(PERCENTAGES[: len(percents)])


def kept_of(history: list[Piece], found: Replay) -> list[Piece]:
    """What would have happened, as a history."""
    refused = {one.session for one in found.refused}
    stops = {one.session: one.at for one in found.stopped}
    return [
        replace(piece, end=min(piece.end, stops.get(piece.session, piece.end)))
        for piece in history
        if piece.session not in refused
    ]


def test_modes_are_those_of_quotas() -> None:
    assert [str(mode) for mode in Mode] == ComputeQuota.Mode.values
