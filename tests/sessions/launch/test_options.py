"""The launch options: what a person may start, and why not the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Group, Membership
from quotas.models import AllocationPeriod, ComputeQuota
from sessions import launch
from sessions.models import Image, Size
from sessions.options import launch_options
from tests.documents import Documents
from tests.sessions.launch.platform import HOUR, NOW, Platform


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def options(platform: Platform, user: str = "bob") -> dict[str, Any]:
    answer = platform.send("GET", f"launch-options?user={user}")
    assert answer.status_code == 200, answer.content
    content: dict[str, Any] = answer.json()
    return content


def group(platform: Platform, name: str = "transients") -> dict[str, Any]:
    return next(entry for entry in options(platform)["groups"] if entry["name"] == name)


def test_the_whole_answer(platform: Platform, documents: Documents) -> None:
    platform.running()
    platform.quota("4")
    platform.bob.default_group = platform.transients
    platform.bob.save(update_fields=["default_group"])
    platform.hub.idle_rule = "Servers that idle for an hour are stopped."
    platform.hub.default_size = Size.objects.get(name="small")
    platform.hub.save(update_fields=["idle_rule", "default_size"])
    Size.objects.get(name="large").allowed_groups.set([platform.galaxies])
    platform.hub.images.add(
        Image.objects.create(
            name="lite", title="Lite", reference="images.example.org/lite:1", position=2
        )
    )
    documents.expect_json("launch/options.json", options(platform))


def test_remaining_is_the_quota_less_used_and_held(platform: Platform) -> None:
    platform.running()
    platform.quota("4")
    assert group(platform)["remaining_core_hours"] == "1.000000"
    launch.grant(platform.hub, platform.ask(), at=NOW)
    assert group(platform)["remaining_core_hours"] == "0.000000"


def test_remaining_falls_below_zero_where_a_quota_only_counts(platform: Platform) -> None:
    platform.running()
    platform.quota("1.5", mode="nominal")
    entry = group(platform)
    assert entry["remaining_core_hours"] == "-1.500000"
    assert entry["allowed"]


def test_no_limit_is_null(platform: Platform) -> None:
    assert group(platform)["remaining_core_hours"] is None


def test_a_quota_of_another_period_is_no_limit(platform: Platform) -> None:
    other = AllocationPeriod.objects.create(
        title="2025", starts_on=date(2025, 1, 1), ends_on=date(2026, 1, 1)
    )
    ComputeQuota.objects.create(
        group=platform.transients, period=other, core_hours=Decimal(0), mode="hard"
    )
    assert group(platform)["remaining_core_hours"] is None


def test_a_group_with_which_nothing_fits_is_closed_with_the_reason(platform: Platform) -> None:
    platform.quota("0.25")
    entry = group(platform)
    assert (entry["allowed"], entry["code"], entry["fits"]) == (False, "quota_exhausted", [])
    assert "0.25 core-hours" in entry["why_not"]
    assert group(platform, "galaxies")["allowed"]


def test_a_closed_group_is_listed_with_the_reason(platform: Platform) -> None:
    platform.transients.closed_at = NOW
    platform.transients.save(update_fields=["closed_at"])
    assert group(platform)["code"] == "group_closed"


def test_under_maintenance_every_group_says_so(platform: Platform) -> None:
    platform.hub.maintenance = "Back at noon."
    platform.hub.save(update_fields=["maintenance"])
    reasons = {entry["why_not"] for entry in options(platform)["groups"]}
    assert reasons == {"Back at noon."}


def test_too_many_sessions_are_told_beforehand(platform: Platform) -> None:
    platform.hub.max_sessions_per_user = 1
    platform.hub.save(update_fields=["max_sessions_per_user"])
    assert group(platform)["allowed"]
    launch.grant(platform.hub, platform.ask(), at=NOW)
    assert group(platform)["code"] == "too_many_sessions"


def test_a_hub_that_offers_nothing_says_so(platform: Platform) -> None:
    platform.hub.sizes.clear()
    assert "No size is open" in group(platform)["why_not"]


def test_only_groups_of_now_are_listed(platform: Platform) -> None:
    Membership.objects.filter(user=platform.bob, group=platform.galaxies).update(valid_to=NOW)
    Membership.objects.create(
        user=platform.bob,
        group=Group.objects.create(name="later", title="Later"),
        valid_from=NOW + HOUR,
    )
    assert [entry["name"] for entry in options(platform)["groups"]] == ["transients"]


def test_somebody_without_groups_sees_none(platform: Platform) -> None:
    assert options(platform, "charlie")["groups"] == []


def test_somebody_who_waits_for_approval_is_told_so(platform: Platform) -> None:
    platform.bob.registered_at = None
    platform.bob.save(update_fields=["registered_at"])
    answer = platform.send("GET", "launch-options?user=bob")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_registered")


def test_images_and_sizes_cost_no_further_queries_and_a_group_costs_one(
    platform: Platform,
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            launch_options(platform.hub, user_name="bob", at=NOW)
        return len(captured)

    queries()  # the first call on a connection prepares its statements
    before = queries()
    for number in range(5):
        platform.hub.images.create(name=f"image-{number}", title="Image")
        platform.hub.sizes.create(
            name=f"size-{number}", title="Size", cpu_millicores=1, memory_mib=1
        )
    assert queries() == before == 3
