"""Alice and Bob are told how full their storage is, each step once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Group, Notice, Topic, User
from quotas.models import HomeQuota, StorageQuota
from sessions.models import StorageSample
from sessions.storage.notices import tell_storage
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)
PERCENT = 2**30


@pytest.fixture(autouse=True)
def homes_of_a_hundred(settings: Any) -> None:
    settings.HOME_QUOTA_BYTES = 100 * PERCENT


def measured(of: User | Group, *percent: int, mount: str = "/home", **values: Any) -> None:
    factories.storage_samples(of, mount, [p * PERCENT for p in percent], until=NOW, **values)


def one_more(of: User | Group, percent: int, *, at: datetime, **values: Any) -> None:
    factories.storage_samples(of, "/home", [percent * PERCENT], until=at, **values)


def said(to: User) -> list[str]:
    notices = Notice.objects.filter(recipient=to, topic=Topic.STORAGE)
    return list(notices.order_by("pk").values_list("subject", flat=True))


def test_each_step_is_told_once_however_often_the_task_runs(bob: User) -> None:
    measured(bob, 70, 82)
    assert [tell_storage(at=NOW), tell_storage(at=NOW)] == [1, 0]
    for number, percent in enumerate((85, 92, 100, 130), start=1):
        at = NOW + number * DAY
        one_more(bob, percent, at=at)
        tell_storage(at=at)

    assert said(bob) == [
        "Your home in /home is 80 % full",
        "Your home in /home is 90 % full",
        "Your home in /home is full",
    ]
    text = Notice.objects.earliest("pk").text
    assert "takes 82.0 GiB of 100.0 GiB (82 %), measured 1 May 2026, 08:00 UTC." in text


def test_a_step_is_told_anew_after_it_was_left_by_five_points(bob: User) -> None:
    measured(bob, 70, 82)
    told = [tell_storage(at=NOW)]
    for number, percent in enumerate((76, 81, 74, 81), start=1):
        at = NOW + number * DAY
        one_more(bob, percent, at=at)
        told.append(tell_storage(at=at))

    assert told == [1, 0, 0, 0, 1]


def test_the_files_that_grow_fast_are_told_of_before(bob: User) -> None:
    measured(bob, 36, 40, 44, 48, 52, 56, 60)

    assert [tell_storage(at=NOW), tell_storage(at=NOW + DAY)] == [1, 0]
    assert said(bob) == ["Your home in /home is full on about 11 May 2026"]


@pytest.mark.parametrize("values", [{"is_stale": True}, {"limit_bytes": 1000 * PERCENT}])
def test_stale_samples_and_files_that_fit_tell_nobody(bob: User, values: dict[str, Any]) -> None:
    measured(bob, 70, 99, **values)

    assert tell_storage(at=NOW) == 0


def test_an_old_sample_tells_nobody(bob: User) -> None:
    measured(bob, 70, 99)

    assert tell_storage(at=NOW + 3 * DAY) == 0


def test_what_the_file_server_enforces_counts_before_the_quota(alice: User, bob: User) -> None:
    HomeQuota.objects.create(
        user=bob, limit_bytes=200 * PERCENT, reason="A survey", author=alice, valid_from=NOW - DAY
    )
    measured(bob, 70, 95)
    assert tell_storage(at=NOW) == 0

    StorageSample.objects.update(limit_bytes=100 * PERCENT)

    assert tell_storage(at=NOW) == 1


def test_the_pi_is_told_of_all_mounts_of_the_group_together(
    alice: User, bob: User, transients: Group
) -> None:
    period = factories.period(date(2026, 1, 1), date(2026, 7, 1))
    StorageQuota.objects.create(group=transients, period=period, limit_bytes=100 * PERCENT)
    measured(transients, 30, 50, mount="/data")
    measured(transients, 30, 41, mount="/scratch")

    assert tell_storage(at=NOW) == 1
    assert said(alice) == ["The storage of Transients is 90 % full"]
    assert said(bob) == []
    assert Notice.objects.get().link == "/groups/transients/storage/"

    Group.objects.update(closed_at=NOW)
    Notice.objects.all().delete()
    assert tell_storage(at=NOW) == 0


def test_homes_with_room_cost_no_query_of_their_own(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(3):
        measured(factories.user(), 10)
    tell_storage(at=NOW)

    with django_assert_num_queries(3):
        tell_storage(at=NOW)
