"""The catalogue follows a registry: what appears, moves, goes, and what is not believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Change, Notice, User
from accounts.models import Group as PortalGroup
from sessions.models import Alert, Hub, Image, ImageSource
from sessions.options import launch_options
from sessions.registry.failures import RegistryFailed
from sessions.registry.syncing import look, sync, sync_due
from tests import factories
from tests.sessions.registry.stub import Fault, StubRegistry

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def tags(at: datetime = NOW) -> list[str]:
    """Of the images that are offered."""
    return [image.tag for image in Image.objects.offered(at=at).exclude(source=None)]


def offered(hub: Hub, user: User, at: datetime = NOW) -> list[str]:
    images = launch_options(hub, user_name=user.username, at=at)["images"]
    return [image["name"] for image in images if image["name"].startswith("lab-")]


@pytest.fixture
def filled(source: ImageSource, stub: StubRegistry) -> ImageSource:
    """Read once: two weeklies and one release, the newest weekly recommended."""
    for tag in ("w_2026_44", "w_2026_45", "r27_0_0"):
        stub.push(tag)
    stub.push("w_2026_46", "recommended", content="46")
    sync(source, at=NOW)
    return source


def test_new_tags_appear_in_the_launch_form_by_themselves(
    filled: ImageSource, stub: StubRegistry, hub: Hub, bob: User
) -> None:
    assert tags() == ["recommended", "r27_0_0", "w_2026_46", "w_2026_45"]
    assert offered(hub, bob)[2:] == ["lab-w-2026-46", "lab-w-2026-45"]
    image = Image.objects.get(tag="w_2026_46")
    assert image.reference == f"{stub.host}/lsst/lab@{stub.tags['w_2026_46']}"
    assert (image.size_bytes, image.kind) == (1234, "weekly")
    assert image.built_at == datetime(2026, 11, 1, 10, tzinfo=UTC)
    shortcut = Image.objects.get(tag="recommended")
    assert shortcut.title == "Lab: Recommended (Weekly 2026, week 46)"
    assert shortcut.recommended


def test_a_second_reading_changes_nothing_and_asks_for_no_details(
    filled: ImageSource, stub: StubRegistry
) -> None:
    changes = Change.objects.count()
    stub.asked.clear()
    assert sync(filled, at=NOW).changes == []
    assert Change.objects.count() == changes
    assert stub.asked_for("/blobs/") == 0


def test_an_image_made_by_hand_stays_as_it_is(filled: ImageSource, hub: Hub) -> None:
    base = Image.objects.get(name="base")
    assert (base.source, base.retires_at, base.kind) == (None, None, "")
    assert base in hub.images.all()


def test_an_alias_that_moves_gets_the_new_digest_and_grants_keep_theirs(
    filled: ImageSource, stub: StubRegistry
) -> None:
    before = Image.objects.get(tag="recommended")
    stub.push("w_2026_47", "recommended", content="47")
    found = sync(filled, at=NOW)
    after = Image.objects.get(tag="recommended")
    assert found.moved == ("recommended",)
    assert (after.pk, after.name) == (before.pk, before.name)
    assert after.digest == stub.tags["w_2026_47"] != before.digest


def test_what_is_replaced_stays_for_a_grace_and_who_used_it_is_told(
    filled: ImageSource, stub: StubRegistry, hub: Hub, bob: User, charlie: User,
    transients: PortalGroup,
) -> None:  # fmt: skip
    for user, days in ((bob, 3), (charlie, 60)):
        ready_at = NOW - timedelta(days=days)
        factories.session(hub, user, transients, image="lab-w-2026-45", ready_at=ready_at)
    stub.push("w_2026_47")
    assert sync(filled, at=NOW).retiring == ("w_2026_45",)
    assert "lab-w-2026-45" in offered(hub, bob, NOW + WEEK - timedelta(seconds=1))
    assert "lab-w-2026-45" not in offered(hub, bob, NOW + WEEK)
    notice = Notice.objects.get(topic="image")
    assert notice.recipient == bob
    assert "27 November 2026" in notice.text

    sync(filled, at=NOW + WEEK)
    assert Notice.objects.filter(topic="image").count() == 1
    image = Image.objects.get(tag="w_2026_45")
    assert image not in hub.images.all()


def test_an_image_that_cannot_be_fetched_any_more_goes_at_once(
    filled: ImageSource, stub: StubRegistry
) -> None:
    del stub.manifests[stub.tags.pop("w_2026_45")]
    found = sync(filled, at=NOW)
    assert found.lost == ("w_2026_45",)
    assert tags() == ["recommended", "r27_0_0", "w_2026_46", "w_2026_44"]


def test_what_comes_back_is_the_same_image_again(filled: ImageSource, stub: StubRegistry) -> None:
    image = Image.objects.get(tag="r27_0_0")
    digest = stub.tags.pop("r27_0_0")
    sync(filled, at=NOW)
    stub.tags["r27_0_0"] = digest
    assert sync(filled, at=NOW + WEEK * 2).back == ("r27_0_0",)
    assert Image.objects.get(tag="r27_0_0", retires_at=None).pk == image.pk


@pytest.mark.parametrize("left", [[], ["w_2026_46"]])
def test_a_registry_that_lost_most_is_not_believed_until_somebody_says_so(
    filled: ImageSource, stub: StubRegistry, hub: Hub, left: list[str]
) -> None:
    stub.tags = {tag: stub.tags[tag] for tag in left}
    assert sync(filled, at=NOW).doubt
    assert len(tags()) == 4
    alert = Alert.objects.get(hub=hub, kind="images")
    assert "only" in alert.detail
    filled.refresh_from_db()
    assert filled.last_error == alert.detail

    sync(filled, at=NOW, confirmed=True)
    assert tags(NOW + WEEK) == left
    alert.refresh_from_db()
    assert alert.resolved_at == NOW


def test_showing_fewer_is_the_administrators_wish_and_needs_no_word(filled: ImageSource) -> None:
    filled.releases = filled.weeklies = 0
    filled.save(update_fields=["releases", "weeklies"])
    assert not sync(filled, at=NOW).doubt
    assert tags(NOW + WEEK) == ["recommended"]


def test_a_registry_in_trouble_changes_nothing_and_alerts_after_a_day(
    filled: ImageSource, stub: StubRegistry
) -> None:
    stub.faults["tags"] = Fault(500, times=99)
    for hours, alerts in ((1, 0), (25, 1)):
        with pytest.raises(RegistryFailed):
            sync(filled, at=NOW + timedelta(hours=hours))
        assert Alert.objects.filter(kind="images").count() == alerts
    assert len(tags()) == 4
    filled.refresh_from_db()
    assert "in trouble" in filled.last_error


def test_hubs_and_groups_of_the_source_hold_for_all_its_images(
    filled: ImageSource, hub: Hub, bob: User, charlie: User, transients: PortalGroup
) -> None:
    filled.allowed_groups.set([transients])
    other = factories.hub("other")
    filled.hubs.set([other])
    sync(filled, at=NOW)
    assert offered(hub, bob) == []
    mine = Image.objects.filter(source=filled, hubs=other)
    assert {group for image in mine for group in image.allowed_groups.all()} == {transients}


def test_a_name_that_is_taken_gets_another(source: ImageSource, stub: StubRegistry) -> None:
    Image.objects.create(name="lab-w-2026-47", title="By hand")
    stub.push("w_2026_47")
    stub.push("w_2026_48_" + "x" * 100)
    source.others = 1
    source.save(update_fields=["others"])
    sync(source, at=NOW)
    names = list(Image.objects.filter(source=source).values_list("name", flat=True))
    assert len(names) == 2
    assert all(len(name) <= 30 and name != "lab-w-2026-47" for name in names)


def test_sources_are_read_when_they_are_due_and_one_failure_keeps_none_from_it(
    source: ImageSource, stub: StubRegistry
) -> None:
    stub.push("w_2026_47")
    ImageSource.objects.create(
        name="away", title="Away", repository="127.0.0.1:9/a/b", position=1, credentials="missing"
    )
    ImageSource.objects.create(name="off", title="Off", repository="a/b", is_active=False)
    assert sync_due(at=NOW) == 1
    assert sync_due(at=NOW + timedelta(minutes=59)) == 0
    assert sync_due(at=NOW + timedelta(minutes=60)) == 1
    assert "REGISTRY_CREDENTIALS has none" in ImageSource.objects.get(name="away").last_error


def test_a_look_stores_nothing(source: ImageSource, stub: StubRegistry) -> None:
    stub.push("w_2026_47")
    assert look(source, at=NOW).changes == ["w_2026_47 is new"]
    assert tags() == []


def test_the_command_says_what_it_does(source: ImageSource, stub: StubRegistry) -> None:
    stub.push("w_2026_47")
    for options, images in ((["--dry-run"], 0), ([], 1)):
        out = StringIO()
        call_command("sync_images", *options, stdout=out)
        assert "lab: 1 new" in out.getvalue()
        assert Image.objects.filter(source=source).count() == images
    stub.tags.clear()
    with pytest.raises(CommandError, match="no longer lists 1 of 1"):
        call_command("sync_images")
    call_command("sync_images", "--source", "lab", "--even-many", stdout=StringIO())
    with pytest.raises(CommandError, match="no source"):
        call_command("sync_images", "--source", "odd")
