"""Months of people and groups: read where they are up to date, and never otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting import rollups, service_usage, usage
from accounting.audit import sums
from accounting.audit.checks import DifferenceError
from accounting.group_usage import of_group
from accounting.models import MemberMonth, SummedMonth, UserDay, UserMonth
from accounting.usage import Window
from accounts.models import Group, User
from sessions.models import Charge, GroupMonth
from sessions.usage import used
from tests.accounting.cast import Cast
from tests.accounting.rows import add_charge, add_session, mark_stale

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 15, tzinfo=UTC)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = int((NOW - FIRST).total_seconds()) // 3600
BOB = 3_600_000  # millicore-seconds of an hour of one core


def work(cast: Cast, user: User | None, start: datetime, hours: int, group: Group | None) -> Charge:
    return add_charge(
        add_session(
            cast.hub,
            user=user,
            group=group,
            started_at=start,
            ended_at=start + timedelta(hours=hours),
        )
    )


def by_user(start: datetime, end: datetime) -> dict[str, int]:
    rows = usage.by_user(Window(start, end, NOW))
    return {row.user.name: row.usage.millicore_seconds for row in rows if row.user}


def summed() -> list[date]:
    return list(SummedMonth.objects.order_by("month").values_list("month", flat=True))


def check_sums() -> None:
    for check in sums.CHECKS:
        check.run()


@pytest.fixture
def year(cast: Cast) -> list[Charge]:
    """An hour of Bob's on the tenth of each month from January to May, brought up to date."""
    charges = [
        work(cast, cast.bob, datetime(2026, m, 10, tzinfo=UTC), 1, cast.transients)
        for m in range(1, 6)
    ]
    rollups.refresh()
    return charges


def test_months_are_summed_and_read_as_far_as_they_have_settled(year: list[Charge]) -> None:
    assert summed() == [date(2026, m, 1) for m in range(1, 6)]
    assert SummedMonth.objects.latest("month").until == date(2026, 5, 3)
    UserDay.objects.filter(day__lt=date(2026, 5, 1)).delete()  # days of whole months are not read
    assert by_user(FIRST, NOW) == {"bob": 5 * BOB}


def test_a_window_within_months_reads_their_days(year: list[Charge]) -> None:
    UserMonth.objects.update(millicore_seconds=1)
    inside = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 4, 30, tzinfo=UTC)
    assert by_user(*inside) == {"bob": 2 * 1 + 2 * BOB}  # February and March as wholes


def test_a_changed_charge_counts_at_once_and_after_each_refresh(year: list[Charge]) -> None:
    charge = year[1]
    mark_stale(charge)
    charge.ended_at = charge.started_at + timedelta(hours=3)
    charge.save(update_fields=["ended_at"])
    mark_stale(charge)
    for _ in range(3):
        assert by_user(FIRST, NOW) == {"bob": 7 * BOB}
        rollups.refresh()
    assert date(2026, 2, 1) in summed()
    check_sums()


def test_who_is_gone_from_a_month_leaves_no_trace(cast: Cast, year: list[Charge]) -> None:
    alices = work(cast, cast.alice, datetime(2026, 2, 3, tzinfo=UTC), 1, cast.transients)
    rollups.refresh()
    mark_stale(alices)
    alices.delete()
    rollups.refresh()
    assert by_user(FIRST, NOW) == {"bob": 5 * BOB}
    assert not UserMonth.objects.filter(user=cast.alice).exists()


def test_the_audit_names_a_month_that_is_not_the_sum_of_its_days(year: list[Charge]) -> None:
    UserMonth.objects.filter(month=date(2026, 3, 1)).update(gpu_seconds=5)
    with pytest.raises(DifferenceError, match=r"months of people.*2026-03-01, bob"):
        check_sums()


def test_the_audit_names_a_month_of_a_group_that_is_not_the_sum_of_its_days(
    year: list[Charge],
) -> None:
    SummedMonth.objects.all().delete()  # what launches are counted with is proved all the same
    GroupMonth.objects.filter(month=date(2026, 3, 1)).update(millicore_seconds=5)
    with pytest.raises(DifferenceError, match=r"months of groups.*2026-03-01, transients"):
        check_sums()


def test_the_audit_names_a_month_of_a_member_that_is_missing(year: list[Charge]) -> None:
    MemberMonth.objects.filter(month=date(2026, 3, 1)).delete()
    with pytest.raises(DifferenceError, match=r"people in groups.*2026-03-01, transients, bob"):
        check_sums()


def test_a_launch_counts_whole_months_from_their_sum(cast: Cast, year: list[Charge]) -> None:
    GroupMonth.objects.update(millicore_seconds=1)
    assert months_of_launch(cast) == 4 * 1 + BOB
    mark_stale(year[1])
    assert months_of_launch(cast) == 3 * 1 + 2 * BOB
    rollups.refresh()
    assert months_of_launch(cast) == 3 * 1 + 2 * BOB


def months_of_launch(cast: Cast) -> int:
    return used(group=cast.transients, start=FIRST, end=NOW, at=NOW).millicore_seconds


HOUR = st.integers(0, HOURS - 60)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None
)
@given(
    work_done=st.lists(
        st.tuples(HOUR, st.integers(1, 50), st.integers(0, 2), st.integers(0, 2)), max_size=12
    ),
    refreshed=st.integers(0, 12),
    again=st.sets(st.integers(0, 11)),
    edges=st.tuples(st.integers(0, HOURS), st.integers(0, HOURS)).map(sorted),
)
def test_sums_are_those_of_arithmetic_over_any_window(
    cast: Cast,
    work_done: list[tuple[int, int, int, int]],
    refreshed: int,
    again: set[int],
    edges: list[int],
) -> None:
    """Whatever was summed, summed again, or is stale."""
    Charge.objects.all().delete()
    rollups.rebuild()
    people, groups = [None, cast.alice, cast.bob], [None, cast.transients, cast.galaxies]
    expected: Counter[tuple[User | None, Group | None]] = Counter()
    for number, (start, length, user, group) in enumerate(work_done):
        if number == refreshed:
            rollups.refresh()
        begin = FIRST + timedelta(hours=start)
        charge = work(cast, people[user], begin, length, groups[group])
        if number in again:
            rollups.refresh()
            mark_stale(charge)
        hours = max(0, min(start + length, edges[1]) - max(start, edges[0]))
        expected[people[user], groups[group]] += hours * BOB
    check_everything(cast, expected, *(FIRST + timedelta(hours=edge) for edge in edges))


def check_everything(
    cast: Cast, expected: Counter[tuple[User | None, Group | None]], start: datetime, end: datetime
) -> None:
    """Each question is answered from other roll-ups; the answers are one."""
    window = Window(start, end, NOW)
    assert usage.total(window).millicore_seconds == expected.total()
    assert sums_of(usage.by_user(window), "user") == of_part(expected, 0)
    assert sums_of(usage.by_group(window), "group") == of_part(expected, 1)
    lines = service_usage.by_user(window)
    assert sums_of(lines.lines, "named") == of_part(expected, 0)
    assert lines.total == service_usage.by_group(window, {}).total == usage.total(window)
    bobs = Counter({key: sum_ for key, sum_ in expected.items() if key[0] == cast.bob})
    assert sums_of(usage.by_group(window, user=cast.bob), "group") == of_part(bobs, 1)
    assert usage.total(window, user=cast.bob).millicore_seconds == bobs.total()
    for group in (cast.transients, cast.galaxies):
        ours = Counter({key: sum_ for key, sum_ in expected.items() if key[1] == group})
        assert usage.total(window, group=group).millicore_seconds == ours.total()
        assert used(group=group, start=start, end=end, at=NOW) == usage.total(window, group=group)
        found = of_group(group, window, largest=1)
        assert found.total.millicore_seconds == ours.total()
        assert sums_of(found.members, "user") == of_part(ours, 0)
        days: list[Any] = [*found.largest, *found.others]
        assert sum(day.usage.millicore_seconds for day in days) == ours.total()


def sums_of(rows: Iterable[Any], name: str) -> dict[str | None, int]:
    named = ((getattr(row, name), row.usage.millicore_seconds) for row in rows)
    return {who.name if who else None: amount for who, amount in named}


def of_part(
    expected: Counter[tuple[User | None, Group | None]], part: int
) -> dict[str | None, int]:
    found: Counter[str | None] = Counter()
    for key, amount in expected.items():
        found[str(key[part]) if key[part] else None] += amount
    return {name: amount for name, amount in found.items() if amount}
