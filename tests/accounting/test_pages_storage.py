"""The pages of storage: the same numbers as the bars, over time, and when it becomes full."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounts.models import Group, User
from quotas.models import AllocationPeriod, HomeQuota, StorageQuota
from tests import factories
from tests.accounting.visits import DAY, NOW, records, rows, text

pytestmark = pytest.mark.django_db

GIB = 2**30
MORNING = NOW - timedelta(hours=6)


@pytest.fixture
def spring() -> AllocationPeriod:
    return factories.period(date(2026, 1, 1), date(2026, 7, 1))


@pytest.fixture
def quota(transients: Group, spring: AllocationPeriod) -> StorageQuota:
    return StorageQuota.objects.create(group=transients, period=spring, limit_bytes=10 * GIB)


def samples(of: User | Group, mount: str, *gib: float, **values: Any) -> None:
    factories.storage_samples(
        of, mount, [int(amount * GIB) for amount in gib], until=MORNING, **values
    )


def figure(page: str) -> list[dict[str, Any]]:
    found = re.search(r'<script id="storage-chart" type="application/json">(.*?)</script>', page)
    assert found
    data: list[dict[str, Any]] = json.loads(found[1])["data"]
    return data


def test_a_group_is_shown_as_on_its_page_with_each_mount(
    alice: User, transients: Group, quota: StorageQuota
) -> None:
    samples(transients, "/data", 9, 3, files=12, limit_bytes=6 * GIB, source="xfs")
    samples(transients, "/scratch", 2, limit_bytes=6 * GIB, is_stale=True)

    page = text(alice, "/groups/transients/storage/")

    bar = "5.0 GiB of 10.0 GiB  (50&nbsp;%)"
    assert bar in page
    assert bar in text(alice, "/groups/transients/")
    assert "enforces 12.0 GiB, 2.0 GiB more than the quota of 10.0 GiB." in page
    assert "The measurement is old or not complete." in page
    mounts = rows(alice, "/groups/transients/storage/", "mounts")
    assert [row[:2] + row[3:5] for row in mounts] == [
        ["/data", "3.0 GiB", "6.0 GiB", "12"],
        ["/scratch", "2.0 GiB", "6.0 GiB", "—"],
    ]


def test_the_homes_of_members_are_shown_to_themselves_alone(
    alice: User, bob: User, transients: Group
) -> None:
    samples(bob, "/home", 3)
    samples(transients, "/data", 1)

    assert "3.0 GiB" in text(bob, "/my/storage/")
    for path in ("/my/storage/", "/groups/transients/storage/"):
        assert "3.0 GiB" not in text(alice, path)


def test_a_home_without_a_limit_on_the_file_server_has_the_quota_of_the_portal(
    alice: User, bob: User
) -> None:
    HomeQuota.objects.create(user=bob, limit_bytes=4 * GIB, reason="Small", author=alice)
    HomeQuota.objects.update(valid_from=NOW - DAY)
    samples(bob, "/home", 3, limit_bytes=0)

    for path in ("/my/storage/", "/my/"):
        assert "3.0 GiB of 4.0 GiB" in text(bob, path)
    page = text(bob, "/my/storage/")
    assert "The file server does not enforce the quota of 4.0 GiB." in page
    assert rows(bob, "/my/storage/", "mounts")[0][3] == "no limit"


def test_a_limit_that_was_never_told_is_not_called_missing(
    alice: User, transients: Group, quota: StorageQuota
) -> None:
    samples(transients, "/data", 1)
    samples(transients, "/scratch", 1, limit_bytes=9 * GIB)

    page = text(alice, "/groups/transients/storage/")

    assert "What the file server enforces on /data is not known." in page


def test_the_date_at_which_it_is_full_is_named_or_why_not(
    alice: User, bob: User, transients: Group, quota: StorageQuota
) -> None:
    samples(transients, "/data", *(number / 4 for number in range(20)))

    page = text(alice, "/groups/transients/storage/")

    assert "256.0 MiB a day, the quota is reached on about 2026-05-22." in page
    samples(bob, "/home", 1, 2)
    assert "A forecast needs measurements of 7 of the last 30 days." in text(bob, "/my/storage/")


def test_mounts_count_together_in_the_forecast_and_stale_samples_not(
    alice: User, transients: Group, quota: StorageQuota
) -> None:
    for mount in ("/data", "/scratch"):
        samples(transients, mount, *(number / 8 for number in range(20)))
    factories.storage_samples(
        transients, "/data", 12 * [90 * GIB], until=MORNING - timedelta(minutes=1), is_stale=True
    )

    page = text(alice, "/groups/transients/storage/")

    assert "the quota is reached on about 2026-05-22." in page


def test_the_chart_has_the_last_measurement_of_each_day(bob: User) -> None:
    samples(bob, "/home", 1, 2, 3)
    factories.storage_samples(bob, "/home", [9 * GIB], until=MORNING - timedelta(hours=1))

    (line,) = figure(text(bob, "/my/storage/", first="2026-04-01", last="2026-05-01"))

    assert (line["name"], line["y"]) == ("/home", [1.0, 2.0, 3.0])
    assert line["x"] == ["2026-04-29 02:00", "2026-04-30 02:00", "2026-05-01 02:00"]


def test_three_years_are_at_most_400_points_and_every_line_of_the_file(bob: User) -> None:
    factories.storage_samples(bob, "/home", list(range(1090)), until=MORNING, files=3)
    window: dict[str, Any] = {"first": "2023-05-05", "last": "2026-05-01"}

    (line,) = figure(text(bob, "/my/storage/", **window))

    assert 300 < len(line["y"]) <= 400
    found = records(bob, "/my/storage.csv", **window)
    assert [int(row["used_bytes"]) for row in found] == list(range(1090))
    assert found[-1] == {
        "mount": "/home", "taken_at": "2026-05-01T02:00:00Z", "used_bytes": "1089", "files": "3",
        "soft_bytes": "", "hard_bytes": "", "source": "other", "stale": "false",
    }  # fmt: skip


def test_the_file_of_a_group_has_its_samples_alone(
    alice: User, bob: User, transients: Group, galaxies: Group
) -> None:
    samples(transients, "/data", 1)
    samples(galaxies, "/data", 2)
    samples(bob, "/data", 3)

    assert [row["used_bytes"] for row in records(alice, "/groups/transients/storage.csv")] == [
        str(GIB)
    ]


def test_what_was_never_measured_says_so(alice: User, transients: Group) -> None:
    for path in ("/my/storage/", "/groups/transients/storage/"):
        assert "Not measured yet" in text(alice, path)


def test_dora_sees_everybody_in_any_order(
    dora: User, bob: User, transients: Group, quota: StorageQuota, settings: Any
) -> None:
    settings.HOME_QUOTA_BYTES = 8 * GIB
    samples(transients, "/data", 9, 4, files=7, limit_bytes=11 * GIB)
    samples(transients, "/scratch", 3, limit_bytes=11 * GIB)
    samples(bob, "/home", 6, is_stale=True)

    found = rows(dora, "/overview/storage/", "owners")

    assert [[row[0].split()[0], *row[1:4], *row[5:]] for row in found] == [
        ["Transients", "7.0 GiB", "70 %", "7", "10.0 GiB", "enforces another limit"],
        ["Bob", "6.0 GiB", "75 %", "—", "8.0 GiB", "—"],
    ]
    assert "stale" in found[1][4]

    def names(**asked: Any) -> list[str]:
        return [row[0].split()[0] for row in rows(dora, "/overview/storage/", "owners", **asked)]

    assert names(order="-percent") == ["Bob", "Transients"]
    assert names(order="name") == ["Bob", "Transients"]
    assert names(order="no-such") == ["Transients", "Bob"]
    assert names(q="BOB") == ["Bob"]
    assert names(page="99") == ["Transients", "Bob"]
    assert "Nothing found" in text(dora, "/overview/storage/", q="nobody\0")


def test_the_queries_do_not_grow_with_mounts_samples_and_owners(
    dora: User,
    transients: Group,
    quota: StorageQuota,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    paths = ("/groups/transients/storage/", "/overview/storage/")
    samples(transients, "/data", 1, 2, 3, 4, 5, 6, 7)
    few = {}
    for path in paths:
        text(dora, path)  # statements are prepared once for each connection
        with CaptureQueriesContext(connection) as context:
            text(dora, path)
        few[path] = len(context)

    for number in range(60):
        samples(factories.group(), "/data", 1)
        samples(transients, f"/mount{number}", 1)

    for path in paths:
        with django_assert_num_queries(few[path]):
            text(dora, path)
    pages = [rows(dora, "/overview/storage/", "owners", page=page) for page in ("1", "2")]
    assert [len(page) for page in pages] == [50, 11]
