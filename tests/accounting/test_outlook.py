"""What the group's page says about the days to come."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils.html import strip_tags

from accounting.pages.outlook import outlook
from accounts.models import Group, User
from quotas.forecast import FEWEST_DAYS
from quotas.models import AllocationPeriod
from quotas.vocabulary import millicore_seconds
from sessions.models import Size
from tests import factories
from tests.accounting.visits import DAY, NOW, PERIOD, text, visit

pytestmark = pytest.mark.django_db

WORKSHOP = {"people": 10, "hours": 2, "days": 3}


@pytest.fixture
def spring() -> AllocationPeriod:
    return factories.period(*PERIOD, title="2026A")


@pytest.fixture
def steady(alice: User, transients: Group, spring: AllocationPeriod) -> None:
    """Four weeks with one core-hour a day, and one more today."""
    hub = factories.hub()
    midnight = NOW.replace(hour=0)
    for day in range(29):
        factories.charged_session(hub, alice, transients, ready_at=midnight - day * DAY)


def words(who: User, path: str, **data: Any) -> str:
    return " ".join(strip_tags(text(who, path, **data)).split())


def small() -> int:
    return Size.objects.get(name="small").pk


@pytest.mark.usefixtures("steady")
def test_a_quota_that_runs_out_says_when(
    alice: User, transients: Group, spring: AllocationPeriod
) -> None:
    """29 hours are used, 20 are left at one a day: from 1 May 08:00 to 21 May."""
    factories.quota(transients, spring, "49")
    page = words(alice, "/groups/transients/")
    assert "runs out on about 2026-05-21, between 2026-05-21 and 2026-05-21" in page
    assert "last four weeks, 1 core-hours a day" in page


@pytest.mark.usefixtures("steady")
def test_a_quota_that_lasts_says_what_expires(
    alice: User, transients: Group, spring: AllocationPeriod
) -> None:
    """29 of 1,000 hours are used, and 60 2/3 days are left at one a day."""
    factories.quota(transients, spring, "1000")
    page = words(alice, "/groups/transients/")
    assert "lasts until the period ends on 2026-07-01. About 910 core-hours" in page


@pytest.mark.usefixtures("steady")
def test_what_remains_is_the_quota_without_what_the_page_says_is_used(
    transients: Group, spring: AllocationPeriod
) -> None:
    quota = factories.quota(transients, spring, "49")
    found = outlook(transients, at=NOW)
    assert found is not None
    assert found.remaining == millicore_seconds(quota.core_hours) - 29 * 3_600_000


def test_a_young_group_has_no_forecast_yet(alice: User, spring: AllocationPeriod) -> None:
    young = factories.group("young", created_at=NOW - timedelta(days=FEWEST_DAYS - 1))
    factories.membership(alice, young, "pi")
    factories.quota(young, spring, "10")
    assert "needs seven full days" in words(alice, "/groups/young/")


def test_days_without_use_count_from_the_beginning_of_the_group(
    transients: Group, spring: AllocationPeriod
) -> None:
    Group.objects.filter(pk=transients.pk).update(created_at=NOW - 14 * DAY)
    transients.refresh_from_db()
    factories.quota(transients, spring, "10")
    factories.charged_session(
        factories.hub(), None, transients, ready_at=NOW - 7 * DAY, user_name="x"
    )
    found = outlook(transients, at=NOW)
    assert found is not None
    assert found.forecast is not None
    assert found.forecast.pace.mean == pytest.approx(3_600_000 / 14)


@pytest.mark.usefixtures("steady")
def test_without_a_quota_there_is_no_forecast(alice: User) -> None:
    assert "Forecast" not in words(alice, "/groups/transients/")


@pytest.mark.usefixtures("steady")
def test_a_workshop_that_fits_shows_what_is_left_and_when_it_runs_out(
    alice: User, transients: Group, spring: AllocationPeriod
) -> None:
    factories.quota(transients, spring, "99")
    page = words(alice, "/groups/transients/what-if/", size=small(), **WORKSHOP)
    assert "It needs 60.00 core-hours" in page
    assert "It fits: 10.00 core-hours are left after it. 11 people would fit." in page
    assert "runs out on about 2026-05-11" in page


@pytest.mark.usefixtures("steady")
def test_a_workshop_that_does_not_fit_says_what_is_missing_and_who_would(
    alice: User, transients: Group, spring: AllocationPeriod
) -> None:
    factories.quota(transients, spring, "49")
    page = words(alice, "/groups/transients/what-if/", size=small(), **WORKSHOP)
    assert "40.00 core-hours are missing: 20.00 of 49.000000 are left." in page
    assert "enough for 3 of the 10 people" in page


@pytest.mark.usefixtures("steady")
def test_a_workshop_without_a_quota_only_counts(alice: User) -> None:
    page = words(alice, "/groups/transients/what-if/", size=small(), **WORKSHOP)
    assert "no compute quota in this period" in page


@pytest.mark.parametrize("wrong", [{"people": 0}, {"hours": 25}, {"days": "x"}, {"size": 10**9}])
@pytest.mark.usefixtures("steady")
def test_an_impossible_workshop_is_told_beside_its_field(
    alice: User, wrong: dict[str, Any]
) -> None:
    page = text(alice, "/groups/transients/what-if/", **{"size": small(), **WORKSHOP, **wrong})
    [name] = wrong
    assert re.search(rf'id="id_{name}"[^>]*is-invalid|is-invalid[^>]*id="id_{name}"', page)
    assert "It needs" not in page


def test_charlie_may_not_ask(charlie: User, transients: Group) -> None:
    assert visit(charlie, "/groups/transients/what-if/").status_code == 404
