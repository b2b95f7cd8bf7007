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

from accounting.pages.outlook import outlook
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


def test_a_group_says_its_pace_and_when_its_quota_runs_out(platform: Platform) -> None:
    """Twelve full days at 24 core-hours a day, and 8 today: 40 more last 40 hours, to 3 May."""
    began = NOW - 12 * 24 * HOUR - 8 * HOUR
    platform.running(ready_at=began, requested_at=began)
    Group.objects.update(created_at=began)
    platform.quota("336")
    entry = group(platform)
    assert entry["pace_core_hours_per_day"] == "24.000000"
    assert entry["forecast"] == {
        "runs_out_on": "2026-05-03",
        "earliest_on": "2026-05-03",
        "latest_on": "2026-05-03",
        "period_ends_on": "2027-01-01",
        "expires_core_hours": "0.000000",
    }
    assert entry["outlook"] == (
        "The group has 40.00 core-hours left, 1.00 of them held by pending and running sessions. "
        "At its present pace, about 24 core-hours a day, it runs out on 3 May 2026."
    )
    tiny = entry["sizes"][0]
    assert (tiny["runs_for_hours"], tiny["runs_out_on"]) == ("80", "2026-05-02")
    assert tiny["outlook"] == (
        "0.5 core-hours per hour. If it runs without a pause, at the group's present pace, the "
        "group runs out on 2 May 2026. Alone, it could run for 3 days on what is left."
    )


def test_the_launch_names_the_date_of_the_groups_page(platform: Platform) -> None:
    began = NOW - 9 * 24 * HOUR
    platform.running(ready_at=began, requested_at=began)
    Group.objects.update(created_at=began)
    platform.quota("1234.5")
    found = outlook(platform.transients, at=NOW)
    assert found is not None
    assert found.forecast is not None
    assert found.forecast.runs_out is not None
    said = group(platform)["forecast"]["runs_out_on"]
    assert said == found.forecast.runs_out.date().isoformat()


def test_a_size_that_does_not_fit_says_why_by_group(platform: Platform) -> None:
    platform.quota("1.5")
    sizes = {size["name"]: size for size in group(platform)["sizes"]}
    assert [name for name in sizes if sizes[name]["allowed"]] == group(platform)["fits"]
    assert sizes["medium"]["code"] == "quota_exhausted"
    assert "What still fits: Tiny, Small." in sizes["medium"]["why_not"]
    assert all(size["allowed"] for size in group(platform, "galaxies")["sizes"])


def test_a_session_that_could_run_to_the_end_of_the_period_says_so(platform: Platform) -> None:
    """The period ends in 245 days less eight hours: 2,936 core-hours of Tiny."""
    for quota, words in (("2935", "for 244 days"), ("2936", "to the end of the period")):
        platform.quota(quota)
        tiny = group(platform)["sizes"][0]
        assert tiny["outlook"].endswith(f"Alone, it could run {words} on what is left.")


def test_an_image_that_is_closed_to_a_group_says_so(platform: Platform) -> None:
    Image.objects.get().allowed_groups.set([platform.galaxies])
    [image] = group(platform)["images"]
    assert (image["allowed"], image["code"]) == (False, "image_not_allowed")
    assert group(platform, "galaxies")["images"][0]["allowed"]


def test_a_quota_that_only_counts_says_so_once_it_is_used_up(platform: Platform) -> None:
    platform.running()
    platform.quota("1.5", mode="nominal")
    assert "use is counted, nothing is refused" in group(platform)["outlook"]
    platform.quota("1.5", mode="soft")
    assert group(platform)["outlook"] == "The group's quota is used up until 1 January 2027."


def test_the_last_choice_comes_back(platform: Platform) -> None:
    assert options(platform)["last_choice"] is None
    launch.grant(platform.hub, platform.ask(group="galaxies", size="tiny"), at=NOW)
    assert options(platform)["last_choice"] == {
        "group": "galaxies", "image": "base", "size": "tiny",
    }  # fmt: skip


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
    assert queries() == before == 5
