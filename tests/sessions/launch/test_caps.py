"""Caps of a group: on its sessions and GPUs at once, and on what each member takes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from quotas.models import Caps
from sessions import launch
from sessions.models import Size
from sessions.options import launch_options
from sessions.refusals import LaunchRefused
from tests import factories
from tests.forms_in_pages import send_form
from tests.sessions.launch.platform import HOUR, NOW, Platform, make_platform
from tests.sessions.launch.test_concurrency import asks_of, at_once

pytestmark = pytest.mark.django_db


def cap(platform: Platform, **caps: object) -> None:
    Caps.objects.update_or_create(group=platform.transients, defaults=caps)


def refusal(platform: Platform, number: int, **changes: str) -> LaunchRefused | None:
    """Why Bob's wish is refused; None where it is granted."""
    ask = platform.ask(number, **{"server": str(number)} | changes)
    try:
        launch.grant(platform.hub, ask, at=NOW)
    except LaunchRefused as refused:
        return refused
    return None


@pytest.fixture
def gpu(platform: Platform) -> Size:
    """A size with two GPUs."""
    size = Size.objects.create(
        name="gpu", title="GPU", cpu_millicores=1000, memory_mib=2048, gpus=2
    )
    platform.hub.sizes.add(size)
    return size


def test_a_member_has_so_many_sessions_at_once_in_the_group(platform: Platform) -> None:
    platform.running()  # Alice's
    cap(platform, member_sessions=2)
    assert refusal(platform, 1) is None
    assert refusal(platform, 2) is None
    refused = refusal(platform, 3)
    assert refused
    assert (refused.code, refused.facts["limit"], refused.facts["used"]) == (
        "too_many_sessions", 2, 2,
    )  # fmt: skip
    assert "each member may have 2 at once" in refused.detail
    assert refusal(platform, 3, group="galaxies") is None


def test_a_server_that_starts_again_is_counted_once(platform: Platform) -> None:
    cap(platform, member_sessions=1, sessions=1)
    assert refusal(platform, 1, server="") is None
    assert refusal(platform, 2, server="") is None


def test_a_group_has_so_many_sessions_at_once(platform: Platform) -> None:
    platform.running()
    cap(platform, sessions=2)
    assert refusal(platform, 1) is None
    refused = refusal(platform, 2)
    assert refused
    assert refused.code == "too_many_sessions"
    assert "has 2 pending or running sessions; 2 at once are allowed" in refused.detail


def test_gpus_held_at_once_are_limited(platform: Platform, gpu: Size) -> None:
    cap(platform, gpus=3)
    assert refusal(platform, 1, size="gpu") is None
    refused = refusal(platform, 2, size="gpu")
    assert refused
    assert refused.code == "too_many_sessions"
    assert "hold 2 of the 3 GPUs" in refused.detail
    assert "small" in refused.facts["fits"]
    assert "gpu" not in refused.facts["fits"]
    assert refusal(platform, 3) is None


def test_a_size_with_more_gpus_than_the_group_may_hold_is_not_open_to_it(
    platform: Platform, gpu: Size
) -> None:
    cap(platform, gpus=1)
    refused = refusal(platform, 1, size="gpu")
    assert refused
    assert refused.code == "size_not_allowed"
    assert "GPU has 2 GPUs; the group “Transients” may hold 1 at once." in refused.detail


def test_core_hours_of_a_member_count_use_and_holds_of_that_member_alone(
    platform: Platform,
) -> None:
    platform.running(1001)  # Alice's: used 2, holds 1
    platform.running(1002, user=platform.bob, user_name="bob")
    cap(platform, member_core_hours=Decimal(4))
    assert refusal(platform, 1) is None
    refused = refusal(platform, 2, size="tiny")
    assert refused
    assert (refused.code, refused.facts["limit"], refused.facts["used"], refused.facts["held"]) == (
        "quota_exhausted", "4.000000", "2.000000", "2.000000",
    )  # fmt: skip
    assert refused.facts["resets_at"] == "2027-01-01T00:00:00Z"
    assert "You have used 2.00 of the 4.00 core-hours that each member" in refused.detail


def test_caps_hold_whatever_the_mode_of_the_quota_is(platform: Platform) -> None:
    platform.quota("1000", mode="nominal")
    cap(platform, member_core_hours=Decimal("0.5"))
    assert refusal(platform, 1, size="tiny") is None
    assert refusal(platform, 2, size="tiny")


def test_the_launch_options_say_what_a_cap_closes(platform: Platform, gpu: Size) -> None:
    cap(platform, gpus=1, member_core_hours=Decimal("1.5"))
    options = launch_options(platform.hub, user_name="bob", at=NOW)
    [group] = [entry for entry in options["groups"] if entry["name"] == "transients"]
    verdicts = {size["name"]: size["code"] for size in group["sizes"]}
    assert group["allowed"]
    assert group["fits"] == ["tiny", "small"]
    assert (verdicts["small"], verdicts["medium"], verdicts["gpu"]) == (
        None, "quota_exhausted", "size_not_allowed",
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_launches_at_once_never_break_a_cap() -> None:
    platform = make_platform()
    cap(platform, sessions=7)
    asks = asks_of(platform, 40, lambda number: {"server": str(number)})
    assert at_once(platform, asks) == {"granted": 7, "too_many_sessions": 33}
    cap(platform, sessions=None, member_core_hours=Decimal(10))
    more = [platform.ask(100 + number, server=str(100 + number)) for number in range(20)]
    assert at_once(platform, more) == {"granted": 3, "quota_exhausted": 17}


def test_administrators_set_caps_on_the_page_of_the_group(
    client: Client, platform: Platform
) -> None:
    client.force_login(factories.administrator("dora"))
    page = f"/admin/accounts/group/{platform.transients.pk}/change/"
    send_form(client, page, **{"caps-0-member_sessions": "2", "caps-0-member_core_hours": "12.5"})
    caps = Caps.objects.get(group=platform.transients)
    assert (caps.member_sessions, caps.member_core_hours, caps.gpus) == (2, Decimal("12.5"), None)
    assert refusal(platform, 1) is None


def test_hours_of_the_period_before_do_not_count(platform: Platform) -> None:
    old = platform.running(1001, user=platform.bob, user_name="bob", ready_at=NOW - 200 * 24 * HOUR)
    old.charges.update(ended_at=NOW - 190 * 24 * HOUR)
    type(old).objects.filter(pk=old.pk).update(
        ended_at=NOW - timedelta(days=190), end_source="stop"
    )
    cap(platform, member_core_hours=Decimal(1))
    assert refusal(platform, 1) is None
