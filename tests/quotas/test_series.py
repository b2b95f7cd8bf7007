"""Allocation periods in a row, and what stands in their way."""

from __future__ import annotations

from datetime import date

import pytest
from django.test import Client

from accounts.models import User
from lsp_portal.lib import clock
from quotas.models import AllocationPeriod, ComputeQuota, StorageQuota
from quotas.series import BadSeries, Planned, make, plan
from tests import factories

pytestmark = pytest.mark.django_db

PAGE = "/admin/quotas/allocationperiod/series/"
QUARTERS = {"first": "2027-01-01", "months": "3", "count": "4", "title": "{year} Q{n}"}


def quarters(first: date = date(2027, 1, 1), count: int = 4) -> list[Planned]:
    return plan(first=first, months=3, count=count, title="{year} Q{n}")


def test_quarters_adjoin_and_are_numbered_in_each_year() -> None:
    series = quarters(first=date(2026, 10, 1), count=3)
    assert [(p.title, p.starts_on, p.ends_on) for p in series] == [
        ("2026 Q1", date(2026, 10, 1), date(2027, 1, 1)),
        ("2027 Q1", date(2027, 1, 1), date(2027, 4, 1)),
        ("2027 Q2", date(2027, 4, 1), date(2027, 7, 1)),
    ]
    assert make(series) == AllocationPeriod.objects.count() == 3


def test_quotas_are_taken_over_without_grants_and_closed_groups() -> None:
    before = factories.period(date(2026, 1, 1), date(2027, 1, 1))
    galaxies, closed = factories.group("galaxies"), factories.group("old", closed_at=clock.now())
    for group in (galaxies, closed):
        factories.quota(group, before, "12.5", "soft")
    StorageQuota.objects.create(group=galaxies, period=before, limit_bytes=7)
    make(quarters(), quotas_of=before)
    new = ComputeQuota.objects.exclude(period=before)
    assert {(q.group.name, str(q.core_hours), q.mode) for q in new} == {
        ("galaxies", "12.500000", "soft")
    }
    assert new.count() == 4
    assert StorageQuota.objects.exclude(period=before).count() == 4


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"title": "same"}, "title of its own"),
        ({"title": "{nope}"}, "is no pattern"),
        ({"title": "{"}, "is no pattern"),
        ({"title": "{year.real.__class__}{n}"}, "is no pattern"),
        ({"title": "x" * 61 + "{n}"}, "1 to 60 characters"),
        ({"first": date(2027, 1, 31)}, "a day that every month has"),
        ({"first": date(9998, 12, 1)}, "before the year"),
        ({"count": 0}, "1 to 100 periods"),
        ({"months": 0}, "1 to 120 months"),
    ],
)
def test_what_cannot_be_is_refused_in_words(wish: dict[str, object], words: str) -> None:
    values: dict[str, object] = {"first": date(2027, 1, 1), "months": 3, "count": 4}
    with pytest.raises(BadSeries, match=words):
        plan(**(values | {"title": "{year} Q{n}"} | wish))  # type: ignore[arg-type]


def test_a_period_in_the_way_is_named_and_nothing_is_made() -> None:
    there = factories.period(date(2027, 6, 30), date(2027, 7, 1), "A day in June")
    series = quarters()
    assert [p.obstacle for p in series] == [None, there, None, None]
    with pytest.raises(BadSeries, match=r"“2027 Q2” cannot be: A day in June is in the way."):
        make(series)
    assert AllocationPeriod.objects.count() == 1


def test_an_administrator_looks_before_they_are_made(client: Client, dora: User) -> None:
    client.force_login(dora)
    assert 'name="make"' not in client.get(PAGE).content.decode()
    looked = client.post(PAGE, QUARTERS | {"look": "1"}).content.decode()
    assert "2027 Q4" in looked
    assert 'name="make"' in looked
    assert not AllocationPeriod.objects.exists()
    made = client.post(PAGE, QUARTERS | {"make": "1"}, follow=True).content.decode()
    assert "Made 4 allocation periods." in made
    again = client.post(PAGE, QUARTERS | {"make": "1"}).content.decode()
    assert "may not overlap" in again
    assert AllocationPeriod.objects.count() == 4


def test_staff_without_the_right_do_not_see_the_page(client: Client) -> None:
    client.force_login(factories.user("gus", is_staff=True))
    assert client.get(PAGE).status_code == 403


@pytest.mark.parametrize("wish", [{"first": "31.12.2027"}, {"count": "-1"}, {"title": "{"}])
def test_a_bad_wish_is_told_beside_the_form(
    client: Client, dora: User, wish: dict[str, str]
) -> None:
    client.force_login(dora)
    answer = client.post(PAGE, QUARTERS | wish | {"make": "1"})
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not AllocationPeriod.objects.exists()
