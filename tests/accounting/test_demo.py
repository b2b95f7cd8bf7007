"""The demo platform: the same each time, whole, and never over other data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Model
from pytest_django import DjangoDbBlocker

from accounting.models import GroupDay
from accounts.models import Group, Membership, User
from quotas.models import AllocationPeriod, ComputeQuota
from quotas.vocabulary import millicore_seconds
from sessions.models import Charge, Hub, HubEvent, Session, StaleDay, StorageSample
from sessions.usage import used
from tests import factories

NOW = "2026-05-01T08:00:00Z"
AT = datetime(2026, 5, 1, 8, tzinfo=UTC)
COUNTED = (Charge, Group, GroupDay, Hub, HubEvent, Membership, Session, StorageSample, User)


def load(now: str = NOW) -> str:
    said = StringIO()
    call_command("load_demo", now=now, stdout=said)
    return said.getvalue()


@pytest.fixture(scope="class")
def demo(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Loaded once for the tests that only look, in a transaction around theirs."""
    with django_db_blocker.unblock(), transaction.atomic():
        load()
        yield
        transaction.set_rollback(True)


@pytest.mark.usefixtures("demo", "db")
class TestTheDemo:
    def test_the_people_have_the_roles_that_the_tour_tells_of(self) -> None:
        roles = Membership.objects.values_list("user__username", "group__name", "role")
        assert ("alice", "transients", "pi") in roles
        assert {row[1] for row in roles if row[0] == "bob"} == {"transients", "galaxies"}
        assert {row[1] for row in roles if row[0] == "charlie"} == {"solar-system"}
        dora = User.objects.get(username="dora")
        assert dora.is_superuser
        assert dora.is_registered
        assert not dora.has_usable_password()

    def test_six_months_of_sessions_have_ended_and_every_one_is_attributed(self) -> None:
        sessions = Session.objects.filter(ready_at__isnull=False)
        assert sessions.count() > 2000
        assert not sessions.filter(ended_at=None).exists()
        assert not sessions.filter(group=None).exists()
        first = sessions.earliest("requested_at").requested_at
        assert first is not None
        assert AT - timedelta(days=184) < first < AT - timedelta(days=180)
        assert not Membership.objects.filter(valid_from__gte=first).exists()
        assert not sessions.filter(ended_at__gte=AT).exists()

    def test_no_group_is_within_100_core_hours_of_a_limit_that_is_enforced(self) -> None:
        assert {quota.mode for quota in ComputeQuota.objects.all()} == set(ComputeQuota.Mode)
        for quota in ComputeQuota.objects.exclude(mode="nominal").select_related("group", "period"):
            period = quota.period
            taken = used(group=quota.group, start=period.starts_at, end=period.ends_at, at=AT)
            left = millicore_seconds(quota.core_hours) - taken.millicore_seconds
            assert left > millicore_seconds(Decimal(100)), quota

    def test_the_sums_are_up_to_date_and_a_second_run_changes_nothing(self) -> None:
        assert not StaleDay.objects.exists()
        before = [model.objects.count() for model in COUNTED]
        assert "nothing was changed" in load("2027-01-01T00:00:00Z")
        assert [model.objects.count() for model in COUNTED] == before


@pytest.mark.django_db
def test_the_same_moment_gives_the_same_platform() -> None:
    found = []
    for _ in range(2):
        with transaction.atomic():
            load()
            found.append([_content(model) for model in (HubEvent, Membership, StorageSample)])
            transaction.set_rollback(True)
    assert found[0] == found[1]


def _content(model: type[Model]) -> list[tuple[Any, ...]]:
    """All rows, without what the database numbers and what says when they were written."""
    left_out = {"id", "user_id", "group_id", "hub_id", "received_at"}
    names = [field.attname for field in model._meta.concrete_fields]
    rows = model._default_manager.order_by("pk").values_list(
        *(name for name in names if name not in left_out)
    )
    return [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in rows]


@pytest.mark.parametrize(
    "now", ["2026-01-01T00:00:00Z", "2026-06-30T23:59:59Z", "2024-02-29T12:00Z"]
)
@pytest.mark.django_db
def test_the_history_lies_within_the_periods_whatever_the_moment(now: str) -> None:
    load(now)
    at = datetime.fromisoformat(now)
    earliest = Session.objects.earliest("requested_at").requested_at
    assert earliest is not None
    assert AllocationPeriod.objects.current(at=earliest) is not None
    assert AllocationPeriod.objects.current(at=at) is not None


@pytest.mark.django_db
def test_a_database_with_other_groups_is_left_alone() -> None:
    factories.group("exoplanets")
    with pytest.raises(CommandError, match="other groups: exoplanets"):
        load()
    assert not User.objects.exists()


@pytest.mark.parametrize("text", ["yesterday", "2026-05-01T08:00:00", "2026-13-01T00:00:00Z"])
@pytest.mark.django_db
def test_a_moment_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="--now"):
        load(text)
