"""The window that a page is about, and what is said to wishes that make no sense."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from accounting.pages import period
from quotas.models import AllocationPeriod
from tests import factories
from tests.accounting.visits import NOW, PERIOD, visit

pytestmark = pytest.mark.django_db


@pytest.fixture
def spring() -> AllocationPeriod:
    return factories.period(*PERIOD, title="2026A")


@pytest.fixture
def autumn() -> AllocationPeriod:
    return factories.period(date(2026, 7, 1), date(2027, 1, 1), title="2026B")


def test_without_a_wish_it_is_the_current_period(spring: AllocationPeriod) -> None:
    choice = period.choose({}, at=NOW)

    assert (choice.period, choice.title, choice.is_current) == (spring, "2026A", True)
    assert choice.window.start == datetime(2026, 1, 1, tzinfo=UTC)
    assert choice.window.end == datetime(2026, 7, 1, tzinfo=UTC)


def test_between_periods_it_is_the_last_thirty_days() -> None:
    choice = period.choose({}, at=NOW)

    assert (choice.first_day, choice.last_day) == (date(2026, 4, 2), date(2026, 5, 1))
    assert choice.period is None


def test_a_past_period_is_not_current(spring: AllocationPeriod, autumn: AllocationPeriod) -> None:
    choice = period.choose({"period": spring.pk}, at=autumn.starts_at)

    assert (choice.period, choice.is_current) == (spring, False)


def test_both_days_are_included(spring: AllocationPeriod) -> None:
    choice = period.choose({"first": "2026-05-01", "last": "2026-05-01"}, at=NOW)

    assert choice.window.start == datetime(2026, 5, 1, tzinfo=UTC)
    assert choice.window.end == datetime(2026, 5, 2, tzinfo=UTC)
    assert choice.title == "2026-05-01"


def test_changed_days_count_although_their_period_is_still_selected(
    spring: AllocationPeriod,
) -> None:
    asked = {"period": spring.pk, "shown": spring.pk, "first": "2026-01-01", "last": "2026-01-31"}

    choice = period.choose(asked, at=NOW)

    assert (choice.period, choice.title) == (None, "2026-01-01 to 2026-01-31")


def test_days_left_over_from_another_period_do_not_count(
    spring: AllocationPeriod, autumn: AllocationPeriod
) -> None:
    asked = {"period": autumn.pk, "shown": spring.pk, "first": "2026-01-01", "last": "2026-06-30"}

    assert period.choose(asked, at=NOW).period == autumn


def test_unchanged_days_leave_the_period_selected(spring: AllocationPeriod) -> None:
    asked = {"period": spring.pk, "shown": spring.pk, "first": "2026-01-01", "last": "2026-06-30"}

    assert period.choose(asked, at=NOW).period == spring


def test_the_address_of_a_choice_leads_to_the_same_window(spring: AllocationPeriod) -> None:
    for asked in ({"period": str(spring.pk)}, {"first": "2026-03-01", "last": "2026-03-09"}):
        choice = period.choose(asked, at=NOW)
        again = dict(pair.split("=") for pair in choice.query_string.split("&"))
        assert period.choose(again, at=NOW).window == choice.window


BAD = [
    ({"first": "2026-05-02", "last": "2026-05-01"}, "must not be before the first"),
    ({"first": "2026-05-02"}, "give the first and the last day"),
    ({"last": "2026-05-02"}, "give the first and the last day"),
    ({"first": "0001-01-01", "last": "9999-12-31"}, "Choose a day from 2000-01-01 to 2099-12-31"),
    ({"first": "9999-12-31", "last": "9999-12-31"}, "Choose a day from 2000-01-01 to 2099-12-31"),
    ({"first": "2020-01-01", "last": "2026-01-01"}, "Choose at most three years"),
    ({"first": "yesterday", "last": "2026-05-01"}, "Enter a valid date"),
    ({"first": "2026-02-30", "last": "2026-05-01"}, "Enter a valid date"),
    ({"first": "2026-05-01\0", "last": "2026-05-01"}, "Enter a valid date"),
    ({"period": "77777"}, "not one of the available choices"),
    ({"period": "9" * 40}, "not one of the available choices"),
    ({"period": "spring"}, "not one of the available choices"),
    ({"period": "\0"}, "Null characters are not allowed"),
]


@pytest.mark.parametrize(("asked", "words"), BAD)
def test_a_wish_that_makes_no_sense_is_told_and_the_usual_window_shown(
    asked: dict[str, Any], words: str, spring: AllocationPeriod
) -> None:
    bob = factories.user("bob")

    page = visit(bob, "/my/", **asked)

    assert page.status_code == 200
    assert words in page.content.decode()
    assert "Shown instead: 2026A." in page.content.decode()


@pytest.mark.parametrize(("asked", "words"), BAD)
def test_a_download_refuses_it(asked: dict[str, Any], words: str, spring: AllocationPeriod) -> None:
    bob = factories.user("bob")

    answer = visit(bob, "/my/sessions.csv", **asked)

    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert words in answer.content.decode()


def test_no_label_calls_a_field_optional(spring: AllocationPeriod) -> None:
    assert "(optional)" not in visit(factories.user("bob"), "/my/").content.decode()
