"""What is meant where group, image or size are left out."""

from __future__ import annotations

from typing import Any

import pytest

from sessions import launch
from sessions.models import Image, Size
from sessions.refusals import LaunchRefused
from tests.sessions.launch.platform import NOW, Platform


def granted(platform: Platform, **left_out: Any) -> tuple[str, str, str]:
    result = launch.grant(platform.hub, platform.ask(**left_out), at=NOW)
    return result.group, result.image, result.size


def refused(platform: Platform, **changes: Any) -> LaunchRefused:
    with pytest.raises(LaunchRefused) as refusal:
        launch.grant(platform.hub, platform.ask(**changes), at=NOW)
    return refusal.value


def test_the_only_image_is_meant(platform: Platform) -> None:
    assert granted(platform, image=None) == ("transients", "base", "small")


def test_the_default_size_is_meant(platform: Platform) -> None:
    platform.hub.default_size = Size.objects.get(name="medium")
    assert granted(platform, size=None) == ("transients", "base", "medium")


def test_several_sizes_without_a_default_have_to_be_named(platform: Platform) -> None:
    refusal = refused(platform, size=None)
    assert (refusal.status, refusal.code) == (400, "missing_field")
    assert refusal.detail == "size: is missing. Name one of these: tiny, small, medium, large."


def test_the_only_size_that_is_open_to_the_group_is_meant(platform: Platform) -> None:
    for size in Size.objects.exclude(name="tiny"):
        size.allowed_groups.set([platform.galaxies])
    assert granted(platform, size=None) == ("transients", "base", "tiny")


def test_a_default_that_is_closed_to_the_group_is_not_meant(platform: Platform) -> None:
    Image.objects.get(name="base").allowed_groups.set([platform.galaxies])
    platform.hub.default_image = Image.objects.get(name="base")
    platform.hub.images.add(Image.objects.create(name="lite", title="Lite"))
    assert granted(platform, image=None) == ("transients", "lite", "small")


def test_where_nothing_is_open_to_the_group_the_refusal_says_so(platform: Platform) -> None:
    Image.objects.get(name="base").allowed_groups.set([platform.galaxies])
    assert refused(platform, image=None).code == "image_not_allowed"


def test_the_default_group_is_meant(platform: Platform) -> None:
    platform.bob.default_group = platform.galaxies
    platform.bob.save(update_fields=["default_group"])
    assert granted(platform, group=None) == ("galaxies", "base", "small")


def test_the_only_group_is_meant(platform: Platform) -> None:
    result = launch.grant(platform.hub, platform.ask(user="alice", group=None), at=NOW)
    assert result.group == "transients"


def test_the_only_open_group_is_meant(platform: Platform) -> None:
    platform.galaxies.closed_at = NOW
    platform.galaxies.save(update_fields=["closed_at"])
    assert granted(platform, group=None) == ("transients", "base", "small")


def test_a_default_group_that_the_person_has_left_is_not_meant(platform: Platform) -> None:
    platform.alice.default_group = platform.galaxies
    platform.alice.save(update_fields=["default_group"])
    result = launch.grant(platform.hub, platform.ask(user="alice", group=None), at=NOW)
    assert result.group == "transients"


def test_several_groups_without_a_default_have_to_be_named(platform: Platform) -> None:
    refusal = refused(platform, group=None)
    assert (refusal.status, refusal.code) == (400, "missing_field")
    assert "galaxies, transients" in refusal.detail


def test_somebody_without_groups_is_told_whom_to_ask(platform: Platform) -> None:
    refusal = refused(platform, user="charlie", group=None)
    assert refusal.code == "not_a_member"
    assert "Ask the PI" in refusal.detail


def test_what_another_hub_offers_is_not_allowed_here(platform: Platform) -> None:
    Image.objects.create(name="gpu", title="GPU notebook")
    Size.objects.create(name="huge", title="Huge", cpu_millicores=64000, memory_mib=1)
    assert refused(platform, image="gpu").code == "image_not_allowed"
    assert refused(platform, size="huge").code == "size_not_allowed"


@pytest.mark.parametrize("name", ["", "No Name", "a\0b", "x" * 2000])
def test_what_can_be_no_name_is_unknown(platform: Platform, name: str) -> None:
    assert refused(platform, image=name).code == "unknown_image"
    assert refused(platform, size=name).code == "unknown_size"
    assert refused(platform, group=name).code == "not_a_member"
