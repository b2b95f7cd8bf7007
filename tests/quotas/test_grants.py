"""Grants add up, end by themselves, and move core-hours between groups in pairs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError
from django.test import Client

from accounts.models import Group, User
from quotas.awards import BadMove, move
from quotas.models import AllocationPeriod, ComputeQuota, Grant
from tests import factories
from tests.forms_in_pages import errors_of, send_form

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def spring() -> AllocationPeriod:
    return factories.period(date(2026, 1, 1), date(2026, 7, 1), title="2026A")


@pytest.fixture
def quota(transients: Group, spring: AllocationPeriod) -> ComputeQuota:
    return factories.quota(transients, spring, "100")


@pytest.fixture
def other(galaxies: Group, spring: AllocationPeriod) -> ComputeQuota:
    return factories.quota(galaxies, spring, "10")


def grant(quota: ComputeQuota, hours: str, author: User, **values: Any) -> Grant:
    values = {"valid_from": NOW - DAY, "reason": "asked", **values}
    return Grant.objects.create(quota=quota, core_hours=Decimal(hours), author=author, **values)


def limit(quota: ComputeQuota, at: datetime = NOW) -> Decimal:
    return ComputeQuota.objects.with_limit(at=at).get(pk=quota.pk).limit


def test_grants_add_up(quota: ComputeQuota, dora: User) -> None:
    grant(quota, "20.5", dora)
    grant(quota, "-0.25", dora)
    assert limit(quota) == Decimal("120.25")


def test_a_temporary_grant_reverts_by_itself(quota: ComputeQuota, dora: User) -> None:
    grant(quota, "20", dora, valid_from=NOW, valid_to=NOW + DAY)
    moments = (NOW - timedelta(seconds=1), NOW, NOW + DAY - timedelta(seconds=1), NOW + DAY)
    assert [limit(quota, at) for at in moments] == [100, 120, 120, 100]


def test_a_limit_is_never_below_nothing(quota: ComputeQuota, dora: User) -> None:
    grant(quota, "-1000", dora)
    assert limit(quota) == 0


def test_a_past_period_keeps_the_limit_of_its_end(quota: ComputeQuota, dora: User) -> None:
    end = datetime(2026, 7, 1, tzinfo=UTC)
    grant(quota, "5", dora, valid_to=end)
    grant(quota, "7", dora, valid_from=end)
    assert limit(quota, end + 100 * DAY) == 105


def test_a_move_is_a_pair_of_grants_that_add_up_to_nothing(
    quota: ComputeQuota, other: ComputeQuota, dora: User
) -> None:
    taken, given = move(
        quota, to=other, core_hours=Decimal("33.3"), reason="swap", author=dora, at=NOW
    )
    assert (limit(quota), limit(other)) == (Decimal("66.7"), Decimal("43.3"))
    assert (taken.counterpart, given.counterpart) == (given, taken)
    assert taken.core_hours + given.core_hours == 0


@pytest.mark.parametrize("hours", ["0", "-1", "100.000001"])
def test_nobody_moves_what_is_not_there(
    quota: ComputeQuota, other: ComputeQuota, dora: User, hours: str
) -> None:
    with pytest.raises(BadMove, match="at most the 100"):
        move(quota, to=other, core_hours=Decimal(hours), reason="no", author=dora, at=NOW)
    assert not Grant.objects.exists()


def test_moves_stay_within_a_period(quota: ComputeQuota, galaxies: Group, dora: User) -> None:
    autumn = factories.period(date(2026, 7, 1), date(2027, 1, 1))
    later = factories.quota(galaxies, autumn, "10")
    with pytest.raises(BadMove, match="within one period"):
        move(quota, to=later, core_hours=Decimal(1), reason="no", author=dora, at=NOW)


@pytest.mark.parametrize("wrong", [{"core_hours": 0}, {"valid_to": NOW - 2 * DAY}])
def test_the_database_refuses_grants_that_make_no_sense(
    quota: ComputeQuota, dora: User, wrong: dict[str, Any]
) -> None:
    values = {"core_hours": 1, "valid_from": NOW, "reason": "x", "author": dora, **wrong}
    with pytest.raises(IntegrityError):
        Grant.objects.create(quota=quota, **values)


@pytest.fixture
def admin(dora: User) -> Iterator[Client]:
    with time_machine.travel(NOW, tick=False):
        client = Client()
        client.force_login(dora)
        yield client


def test_an_administrator_gives_with_a_reason(
    admin: Client, dora: User, quota: ComputeQuota
) -> None:
    page = f"/admin/quotas/computequota/{quota.pk}/change/"
    row = {"grants-TOTAL_FORMS": "1", "grants-0-core_hours": "12", "grants-0-quota": str(quota.pk),
           "grants-0-valid_from_0": "2026-04-01", "grants-0-valid_from_1": "00:00:00"}  # fmt: skip
    assert "required" in errors_of(send_form(admin, page, **row))
    assert send_form(admin, page, **row, **{"grants-0-reason": "late data"}).status_code == 302
    given = Grant.objects.get()
    assert (given.core_hours, given.reason, given.author) == (Decimal(12), "late data", dora)


def test_an_administrator_moves_core_hours(
    admin: Client, quota: ComputeQuota, other: ComputeQuota
) -> None:
    wish = {"action": "move_core_hours", "_selected_action": quota.pk}
    path = "/admin/quotas/computequota/"
    assert "leave the quota of" in admin.post(path, wish).content.decode()
    data = wish | {"apply": "Move", "to": other.pk, "core_hours": "1000", "reason": "swap"}
    assert "at most the 100" in admin.post(path, data).content.decode()
    answer = admin.post(path, data | {"core_hours": "40"}, follow=True)
    assert "Moved 40 core-hours from transients to galaxies." in answer.content.decode()
    assert (limit(quota), limit(other)) == (Decimal(60), Decimal(50))


def test_a_quota_with_grants_is_not_deleted(
    admin: Client, dora: User, quota: ComputeQuota, other: ComputeQuota
) -> None:
    grant(quota, "1", dora)
    paths = [f"/admin/quotas/computequota/{row.pk}/delete/" for row in (quota, other)]
    assert [admin.get(path).status_code for path in paths] == [403, 200]
