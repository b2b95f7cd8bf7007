"""Usage is overlap times resources, to the last digit, wherever a window is cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.models import Group
from quotas.vocabulary import Usage
from sessions.models import Charge, Hub, Session
from sessions.usage import session_usage, used

pytestmark = pytest.mark.django_db

MAY = datetime(2026, 5, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
AGES_AGO = datetime(1, 1, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def transients() -> Group:
    return Group.objects.create(name="transients", title="Transients")


def charge(group: Group, start: datetime, end: datetime | None, **changes: int) -> Charge:
    hub, _ = Hub.objects.get_or_create(name="demo", title="Demo")
    return Charge.objects.create(
        session=Session.objects.create(hub=hub, group=group),
        group=group,
        started_at=start,
        ended_at=end,
        **{"cpu_millicores": 500, "memory_mib": 1024, "gpus": 1} | changes,
    )


def millicore_seconds(group: Group, start: datetime, end: datetime, at: datetime = JUNE) -> int:
    return used(group=group, start=start, end=end, at=at).millicore_seconds


def test_resources_are_multiplied_by_whole_seconds(transients: Group) -> None:
    charge(transients, MAY, MAY + timedelta(seconds=7201))
    usage = used(group=transients, start=MAY, end=JUNE, at=JUNE)
    assert usage == Usage(7201 * 500, 7201 * 1024, 7201)
    assert usage.core_hours == Decimal("1.000139")


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (MAY - HOUR, MAY + HOUR, 1),
        (JUNE - HOUR, JUNE + HOUR, 1),
        (MAY - HOUR, JUNE + HOUR, 31 * 24),
        (MAY - 2 * HOUR, MAY, 0),
        (JUNE, JUNE + HOUR, 0),
        (MAY, MAY, 0),
    ],
)
def test_only_what_lies_within_the_window_counts(
    transients: Group, start: datetime, end: datetime, hours: int
) -> None:
    charge(transients, start, end)
    assert millicore_seconds(transients, MAY, JUNE) == hours * 3600 * 500


def test_a_running_charge_ends_at_the_moment_of_reading(transients: Group) -> None:
    charge(transients, MAY, None)
    assert millicore_seconds(transients, MAY, JUNE, at=MAY + HOUR) == 3600 * 500
    assert millicore_seconds(transients, MAY, MAY + HOUR, at=JUNE) == 3600 * 500
    assert millicore_seconds(transients, MAY, JUNE, at=MAY - HOUR) == 0


def test_a_negative_sign_takes_back(transients: Group) -> None:
    charge(transients, MAY, MAY + 2 * HOUR)
    charge(transients, MAY, MAY + HOUR, sign=-1)
    assert millicore_seconds(transients, MAY, JUNE) == 3600 * 500


def test_other_groups_do_not_count(transients: Group) -> None:
    charge(Group.objects.create(name="galaxies", title="Galaxies"), MAY, JUNE)
    assert millicore_seconds(transients, MAY, JUNE) == 0


def test_windows_cut_within_a_second_add_up(transients: Group) -> None:
    charge(transients, MAY, MAY + HOUR)
    cut = MAY + timedelta(seconds=100, microseconds=500_000)
    first, second = (millicore_seconds(transients, *edges) for edges in ((MAY, cut), (cut, JUNE)))
    assert first + second == 3600 * 500


def test_a_session_that_lasts_for_months_is_found_from_its_middle(transients: Group) -> None:
    charge(transients, MAY - 100 * 24 * HOUR, JUNE)
    assert millicore_seconds(transients, MAY, MAY + HOUR) == 3600 * 500


def test_sessions_may_be_asked_one_by_one(transients: Group) -> None:
    charged = charge(transients, MAY, MAY + 2 * HOUR).session
    idle = Session.objects.create(hub=charged.hub)
    numbers = [charged.number, idle.number]
    whole = session_usage(numbers, at=JUNE)
    assert whole[charged.number].millicore_seconds == 7200 * 500
    assert whole[idle.number] == Usage()
    part = session_usage(numbers, at=JUNE, window=(MAY, MAY + HOUR))
    assert part[charged.number].millicore_seconds == 3600 * 500


def test_the_sum_of_enormous_sessions_does_not_overflow(transients: Group) -> None:
    for _ in range(3):
        session = charge(transients, AGES_AGO, JUNE, cpu_millicores=2**31 - 1).session
    assert millicore_seconds(transients, MAY, JUNE) == 3 * (2**31 - 1) * 31 * 86400
    whole = session_usage([session.number], at=JUNE)[session.number].millicore_seconds
    assert whole == (2**31 - 1) * int((JUNE - AGES_AGO).total_seconds())
