"""The quota that every home has, and exceptions from it that end by themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from quotas.models import HomeQuota
from sessions import launch
from sessions.models import StorageSample
from sessions.refusals import LaunchRefused
from tests import factories
from tests.forms_in_pages import errors_of, send_form
from tests.sessions.launch.platform import HOUR, NOW, Platform, make_platform

pytestmark = pytest.mark.django_db

GB = 10**9
ADD = "/admin/quotas/homequota/add/"


@pytest.fixture
def platform() -> Platform:
    return make_platform()


def store(platform: Platform, used: int, limit: int | None = None) -> None:
    StorageSample.objects.create(
        user=platform.bob, mount="/home", taken_at=NOW, used_bytes=used, limit_bytes=limit
    )


def is_full(platform: Platform, *, hours_later: int = 0) -> bool:
    number = hours_later + 1
    ask = platform.ask(number, server=str(number))
    try:
        launch.grant(platform.hub, ask, at=NOW + hours_later * HOUR)
    except LaunchRefused as refused:
        return refused.code == "storage_full"
    return False


def test_every_home_has_ten_gigabytes_unless_the_site_says_otherwise(
    platform: Platform, settings: LazySettings
) -> None:
    store(platform, 10 * GB)
    assert is_full(platform)
    settings.HOME_QUOTA_BYTES = 11 * GB
    assert not is_full(platform)


def test_less_than_the_quota_is_not_full(platform: Platform) -> None:
    store(platform, 10 * GB - 1)
    assert not is_full(platform)


def test_what_the_file_system_enforces_counts_first(platform: Platform) -> None:
    store(platform, 12 * GB, limit=20 * GB)
    assert not is_full(platform)


def test_a_limit_of_nothing_on_the_file_system_is_none_and_the_quota_counts(
    platform: Platform,
) -> None:
    store(platform, 10 * GB - 1, limit=0)
    assert not is_full(platform)
    StorageSample.objects.update(used_bytes=10 * GB)
    assert is_full(platform, hours_later=1)


def test_an_exception_counts_while_it_is_in_force_and_the_newest_first(platform: Platform) -> None:
    def exception(limit: int, **values: Any) -> None:
        HomeQuota.objects.create(
            user=platform.bob, limit_bytes=limit, reason="A survey.", author=platform.alice,
            **values,
        )  # fmt: skip

    exception(50 * GB, valid_from=NOW + HOUR, valid_to=NOW + 3 * HOUR)
    exception(15 * GB, valid_from=NOW + 2 * HOUR, valid_to=NOW + timedelta(hours=2.5))
    store(platform, 20 * GB)
    full = [is_full(platform, hours_later=hours) for hours in range(4)]
    assert full == [True, False, True, True]
    limits = [HomeQuota.objects.limit_of(platform.bob, at=NOW + n * HOUR) for n in range(4)]
    assert limits == [10 * GB, 50 * GB, 15 * GB, 10 * GB]
    assert HomeQuota.objects.limit_of(platform.alice, at=NOW + HOUR) == 10 * GB


def test_an_administrator_gives_an_exception_with_a_reason_and_never_edits_it(
    client: Client, platform: Platform
) -> None:
    dora = factories.administrator("dora")
    client.force_login(dora)
    assert "required" in errors_of(
        send_form(client, ADD, user=str(platform.bob.pk), limit_bytes="30 GB")
    )
    send_form(client, ADD, user=str(platform.bob.pk), limit_bytes="30 GB", reason="A survey.")
    [given] = HomeQuota.objects.all()
    assert (given.limit_bytes, given.author, given.user) == (30 * GB, dora, platform.bob)
    page = f"/admin/quotas/homequota/{given.pk}/"
    assert client.post(f"{page}change/", {"limit_bytes": "1 GB"}).status_code == 403
    assert client.post(f"{page}delete/", {"post": "yes"}).status_code == 403
