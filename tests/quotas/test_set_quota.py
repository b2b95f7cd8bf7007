"""The command `set_quota`."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from accounts.models import Group
from quotas.models import AllocationPeriod, ComputeQuota, Grant
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def group() -> Group:
    return Group.objects.create(name="transients", title="Transients")


def set_quota(*arguments: str) -> str:
    out = StringIO()
    with time_machine.travel("2026-05-01T08:00:00Z", tick=False):
        call_command("set_quota", *arguments, stdout=out)
    return out.getvalue()


def test_it_sets_the_quota_and_says_so_in_one_line() -> None:
    AllocationPeriod.objects.create(
        title="Spring", starts_on=date(2026, 3, 1), ends_on=date(2026, 6, 1)
    )
    assert set_quota("transients", "1000.5", "--mode", "hard") == (
        "Set the compute quota of transients in Spring (2026-03-01 until before 2026-06-01) "
        "to 1000.5 core-hours, hard.\n"
    )
    quota = ComputeQuota.objects.get()
    assert (quota.core_hours, quota.mode) == (Decimal("1000.5"), "hard")


def test_it_changes_the_quota_and_keeps_its_mode_unless_told() -> None:
    set_quota("transients", "10", "--mode", "soft")
    assert set_quota("transients", "20").startswith("Changed the compute quota of transients")
    quota = ComputeQuota.objects.get()
    assert (quota.core_hours, quota.mode) == (Decimal(20), "soft")


def test_it_says_what_the_grants_make_of_it() -> None:
    set_quota("transients", "10")
    dora = factories.administrator("dora")
    quota = ComputeQuota.objects.get()
    Grant.objects.create(
        quota=quota, core_hours=5, reason="more", author=dora, valid_from=quota.period.starts_at
    )
    assert set_quota("transients", "20").endswith("With its grants that makes 25.000000 now.\n")


def test_a_new_quota_is_nominal_unless_told() -> None:
    set_quota("transients", "10")
    assert ComputeQuota.objects.get().mode == "nominal"


def test_where_there_is_no_period_at_all_the_calendar_year_is_the_first() -> None:
    assert "in 2026 (2026-01-01 until before 2027-01-01)" in set_quota("transients", "10")


def test_between_periods_it_says_where_to_add_one() -> None:
    AllocationPeriod.objects.create(
        title="2025", starts_on=date(2025, 1, 1), ends_on=date(2026, 1, 1)
    )
    with pytest.raises(CommandError, match=r"No allocation period contains 2026-05-01\. Add one"):
        set_quota("transients", "10")
    assert not ComputeQuota.objects.exists()


@pytest.mark.parametrize(
    "hours",
    ["-1", "NaN", "sNaN", "Infinity", "1e10", "9" * 40, "1e999999", "0.0000001", "ten", "", "1,5"],
)
def test_what_is_no_amount_is_refused(hours: str) -> None:
    with pytest.raises(CommandError, match=r"Core-hours|core-hours"):
        set_quota("transients", "--", hours)
    assert not ComputeQuota.objects.exists()


@pytest.mark.parametrize("hours", ["0", "0.000001", "9999999999.999999", "1e3"])
def test_the_borders_are_amounts(hours: str) -> None:
    set_quota("transients", hours)
    assert ComputeQuota.objects.get().core_hours == Decimal(hours)


def test_a_group_that_does_not_exist_is_named() -> None:
    with pytest.raises(CommandError, match="There is no group “nobody”"):
        set_quota("nobody", "1")


def test_a_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        set_quota("transients", "1", "--mode", "strict")
