"""Checks run in the order of the contract: whoever fails several hears of the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import time_machine

from accounts.models import Membership
from quotas.models import StorageQuota
from sessions.models import HubUserName, Session, Size, StorageSample
from tests.documents import Documents
from tests.sessions.launch.platform import HOUR, NOW, Platform, session_key

Break = Callable[[Platform], dict[str, Any]]
"""Breaks one thing, and says what the request has to contain for it."""


def unknown_user(platform: Platform) -> dict[str, Any]:
    return {"user": "zoe"}


def not_registered(platform: Platform) -> dict[str, Any]:
    platform.bob.registered_at = None
    platform.bob.save(update_fields=["registered_at"])
    return {}


def not_a_member(platform: Platform) -> dict[str, Any]:
    Membership.objects.filter(user=platform.bob, group=platform.transients).update(valid_to=NOW)
    return {}


def unknown_image(platform: Platform) -> dict[str, Any]:
    return {"image": "no-such-image"}


def unknown_size(platform: Platform) -> dict[str, Any]:
    return {"size": "no-such-size"}


def group_closed(platform: Platform) -> dict[str, Any]:
    platform.transients.closed_at = NOW
    platform.transients.save(update_fields=["closed_at"])
    return {}


def maintenance(platform: Platform) -> dict[str, Any]:
    platform.hub.maintenance = "The hub is being moved until noon."
    platform.hub.save(update_fields=["maintenance"])
    return {}


def image_not_allowed(platform: Platform) -> dict[str, Any]:
    platform.hub.images.get(name="base").allowed_groups.set([platform.galaxies])
    return {}


def size_not_allowed(platform: Platform) -> dict[str, Any]:
    Size.objects.get(name="small").allowed_groups.set([platform.galaxies])
    return {}


def too_many_sessions(platform: Platform) -> dict[str, Any]:
    platform.hub.max_sessions_per_user = 2
    platform.hub.save(update_fields=["max_sessions_per_user"])
    for number in (2001, 2002):
        platform.running(
            number, user=platform.bob, user_name="bob", group=platform.galaxies, cpu_millicores=1
        )
    return {}


def storage_full(platform: Platform) -> dict[str, Any]:
    StorageSample.objects.create(
        user=platform.bob,
        mount="/home",
        taken_at=NOW - HOUR,
        used_bytes=100 * 2**30,
        limit_bytes=100 * 2**30,
    )
    return {}


def quota_exhausted(platform: Platform) -> dict[str, Any]:
    platform.running()
    platform.quota("3.75")
    return {}


IN_ORDER: list[Break] = [
    unknown_user,
    not_registered,
    not_a_member,
    unknown_image,
    unknown_size,
    group_closed,
    maintenance,
    image_not_allowed,
    size_not_allowed,
    too_many_sessions,
    storage_full,
    quota_exhausted,
]
STATUS = {"unknown_user": 404, "unknown_image": 400, "unknown_size": 400}


def body(platform: Platform, **changes: Any) -> dict[str, Any]:
    ask = platform.ask()
    return ask.content() | {"session": str(ask.session)} | changes


@pytest.mark.parametrize("position", range(len(IN_ORDER)), ids=[b.__name__ for b in IN_ORDER])
def test_everything_that_comes_later_is_broken_too_and_still_the_first_is_named(
    platform: Platform, position: int
) -> None:
    changes: dict[str, Any] = {}
    for break_it in reversed(IN_ORDER[position:]):
        changes |= break_it(platform)
    with time_machine.travel(NOW, tick=False):
        answer = platform.send("POST", "sessions", body(platform, **changes))
    first = IN_ORDER[position].__name__
    assert (answer.status_code, answer.json()["code"]) == (STATUS.get(first, 403), first)


@pytest.mark.parametrize("break_it", IN_ORDER, ids=[b.__name__ for b in IN_ORDER])
def test_each_refusal_is_a_whole_answer_made_for_the_person_and_stores_nothing(
    platform: Platform, documents: Documents, break_it: Break
) -> None:
    changes = break_it(platform)
    before = Session.objects.count()
    with time_machine.travel(NOW, tick=False):
        answer = platform.send("POST", "sessions", body(platform, **changes))
    assert answer["Content-Type"] == "application/problem+json"
    documents.expect_json(f"launch/refusals/{break_it.__name__}.json", answer.json())
    assert Session.objects.count() == before


def test_a_refusal_is_decided_afresh_once_the_reason_is_gone(platform: Platform) -> None:
    maintenance(platform)
    with time_machine.travel(NOW, tick=False):
        assert platform.send("POST", "sessions", body(platform)).status_code == 403
        platform.hub.maintenance = ""
        platform.hub.save(update_fields=["maintenance"])
        assert platform.send("POST", "sessions", body(platform)).status_code == 201


def test_a_group_that_is_over_its_storage_quota_cannot_start(
    platform: Platform, documents: Documents
) -> None:
    StorageQuota.objects.create(
        group=platform.transients, period=platform.period, limit_bytes=5 * 2**40
    )
    for mount, used in (("/project/a", 3 * 2**40), ("/project/b", 2 * 2**40)):
        StorageSample.objects.create(
            group=platform.transients, mount=mount, taken_at=NOW - HOUR, used_bytes=used
        )
    with time_machine.travel(NOW, tick=False):
        answer = platform.send("POST", "sessions", body(platform))
    documents.expect_json("launch/refusals/storage_full_of_group.json", answer.json())


def test_only_the_newest_sample_of_a_mount_counts(platform: Platform) -> None:
    storage_full(platform)
    StorageSample.objects.create(
        user=platform.bob, mount="/home", taken_at=NOW, used_bytes=1, limit_bytes=100
    )
    with time_machine.travel(NOW, tick=False):
        assert platform.send("POST", "sessions", body(platform)).status_code == 201


def test_somebody_is_known_by_the_name_that_the_hub_has_and_by_no_other(platform: Platform) -> None:
    HubUserName.objects.create(hub=platform.hub, name="rob", user=platform.bob)
    with time_machine.travel(NOW, tick=False):
        answers = {
            name: platform.send(
                "POST", "sessions", body(platform, user=name, session=str(session_key(number)))
            ).status_code
            for number, name in enumerate(("bob", "rob", "Rob"))
        }
    assert answers == {"bob": 404, "rob": 201, "Rob": 404}
    assert Session.objects.get().user == platform.bob


def test_a_name_that_the_hub_gave_to_somebody_else_is_that_person(platform: Platform) -> None:
    HubUserName.objects.create(hub=platform.hub, name="charlie", user=platform.bob)
    with time_machine.travel(NOW, tick=False):
        answer = platform.send("POST", "sessions", body(platform, user="charlie"))
    assert answer.status_code == 201
    assert Session.objects.get().user == platform.bob
