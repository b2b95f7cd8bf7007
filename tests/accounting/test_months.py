"""Months of people: read where they are up to date, and never otherwise."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting import rollups, usage
from accounting.audit import sums
from accounting.audit.checks import DifferenceError
from accounting.models import SummedMonth, UserDay, UserMonth
from accounting.usage import Window
from accounts.models import User
from sessions.models import Charge
from tests.accounting.cast import Cast
from tests.accounting.rows import add_charge, add_session, mark_stale

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 15, tzinfo=UTC)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = int((NOW - FIRST).total_seconds()) // 3600
BOB = 3_600_000  # millicore-seconds of an hour of one core


def work(cast: Cast, user: User, start: datetime, hours: int = 1) -> Charge:
    return add_charge(
        add_session(
            cast.hub,
            user=user,
            group=cast.transients,
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
    charges = [work(cast, cast.bob, datetime(2026, m, 10, tzinfo=UTC)) for m in range(1, 6)]
    rollups.refresh()
    return charges


def test_all_months_but_the_newest_are_summed_and_read(year: list[Charge]) -> None:
    assert summed() == [date(2026, m, 1) for m in range(1, 5)]
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
    alices = work(cast, cast.alice, datetime(2026, 2, 3, tzinfo=UTC))
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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    starts=st.lists(st.integers(0, HOURS - 60), max_size=12),
    lengths=st.lists(st.integers(1, 50), min_size=12, max_size=12),
    refreshed=st.integers(0, 12),
    edges=st.tuples(st.integers(0, HOURS), st.integers(0, HOURS)).map(sorted),
)
def test_sums_are_those_of_arithmetic_over_any_window(
    cast: Cast, starts: list[int], lengths: list[int], refreshed: int, edges: list[int]
) -> None:
    Charge.objects.all().delete()
    rollups.rebuild()
    first, last = edges
    for number, (start, length) in enumerate(zip(starts, lengths, strict=False)):
        if number == refreshed:
            rollups.refresh()
        work(cast, cast.bob, FIRST + timedelta(hours=start), length)
    spans = zip(starts, lengths, strict=False)
    hours = sum(max(0, min(s + n, last) - max(s, first)) for s, n in spans)
    shown = by_user(FIRST + timedelta(hours=first), FIRST + timedelta(hours=last))
    assert shown == ({"bob": hours * BOB} if hours else {})
