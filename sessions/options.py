"""What a person may start at a hub right now, what it costs, and why not the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from quotas.admission import hold
from quotas.forecast import Pace
from quotas.vocabulary import core_hours
from sessions import preview, refusals, rescue
from sessions.catalogue import (
    Choices,
    Entry,
    GroupChoice,
    ImageChoice,
    Person,
    SizeChoice,
    choices_at,
)
from sessions.holds import Standing, standing
from sessions.launch import (
    check_entry,
    check_limits,
    check_open,
    check_person,
    check_size,
    fitting,
)
from sessions.models import Hub, Session
from sessions.pace import paces
from sessions.preview import Prospect
from sessions.refusals import LaunchRefused
from sessions.registry.tags import TITLES, Kind
from sessions.rooms import Rooms


def launch_options(hub: Hub, *, user_name: str, at: datetime) -> dict[str, Any]:
    """The answer of the hub API, as values of JSON.

    Raises LaunchRefused `unknown_user` and `not_registered`.
    """
    choices = choices_at(hub, user_name=user_name, at=at)
    if choices is None:
        raise refusals.unknown_user(user_name)
    check_person(choices.person)
    rescued = rescue.offer(hub, choices)
    pace = paces([group.id for group in choices.groups], at=at)
    rooms = Rooms.of(hub, at=at)
    return {
        "user": user_name,
        "asks_sub_name": choices.person.is_shared,
        "groups": [_group(hub, choices, group, pace[group.id], at) for group in choices.groups],
        "images": [_image(image, choices) for image in choices.images],
        "sizes": [_size(size, choices, rooms) for size in choices.sizes],
        "room": rooms.age_words() or None,
        "rescue": rescued and rescued.content(),
        "idle_rule": hub.idle_rule,
        "last_choice": _last_choice(hub, choices.person),
    }


def _group(
    hub: Hub, choices: Choices, group: GroupChoice, pace: Pace | None, at: datetime
) -> dict[str, Any]:
    now = standing(hub, choices.person, group, at=at)
    refusal = _refusal(lambda: _check_all(hub, choices, group, now))
    remaining = now.balance.remaining
    prospect = Prospect(now.balance, pace, at)
    return {
        "name": group.name,
        "title": group.title,
        "default": group.default,
        "remaining_core_hours": None if remaining is None else str(core_hours(remaining)),
        "allowed": refusal is None,
        "why_not": refusal and refusal.detail,
        "code": refusal and refusal.code,
        "fits": [size.name for size in fitting(hub, choices, group, now)],
        **refusals.quota_facts(now.balance),
        **preview.group_outlook(prospect),
        "images": [_image_of(choices, image, group) for image in choices.images],
        "sizes": [_size_of(hub, choices, size, group, now, prospect) for size in choices.sizes],
    }


def _image_of(choices: Choices, image: Entry, group: GroupChoice) -> dict[str, Any]:
    """An image as the group has it."""
    refusal = _refusal(lambda: check_entry("image", image, group, choices.images))
    return _verdict(image, refusal)


def _size_of(
    hub: Hub,
    choices: Choices,
    size: SizeChoice,
    group: GroupChoice,
    now: Standing,
    prospect: Prospect,
) -> dict[str, Any]:
    """A size as the group has it, and what it does to the group's outlook."""

    def check() -> None:
        check_size(size, group, choices.sizes)
        check_limits(hub, choices, group, size, now)

    outlook = preview.size_outlook(prospect, size.resources.cpu_millicores)
    return _verdict(size, _refusal(check)) | outlook


def _verdict(entry: Entry, refusal: LaunchRefused | None) -> dict[str, Any]:
    return {
        "name": entry.name,
        "allowed": refusal is None,
        "code": refusal and refusal.code,
        "why_not": refusal and refusal.detail,
    }


def _refusal(check: Callable[[], None]) -> LaunchRefused | None:
    try:
        check()
    except LaunchRefused as refusal:
        return refusal
    return None


def _check_all(hub: Hub, choices: Choices, group: GroupChoice, now: Standing) -> None:
    """Refuse a group that can start nothing at all, for what its cheapest choice would be."""
    check_open(hub, group)
    _check_any("image", choices.images, group)
    _check_any("size", choices.sizes, group)
    check_limits(hub, choices, group, _cheapest(hub, choices, group), now)


def _check_any(kind: str, offered: tuple[Entry, ...], group: GroupChoice) -> None:
    if not any(entry.open_to(group) for entry in offered):
        if not offered:
            raise refusals.missing_choice(kind, [])
        check_entry(kind, offered[0], group, offered)


def _cheapest(hub: Hub, choices: Choices, group: GroupChoice) -> SizeChoice:
    return min(
        (size for size in choices.sizes if size.open_to(group)),
        key=lambda size: hold(size.resources.cpu_millicores, hub.lease_seconds),
    )


def _image(image: ImageChoice, choices: Choices) -> dict[str, Any]:
    return _entry(image, choices) | {
        "description": image.description,
        "reference": image.reference or None,
        "kind": image.kind or None,
        "heading": heading(image),
        "recommended": image.recommended,
        "retires_at": image.retires_at,
    }


def heading(image: ImageChoice) -> str:
    """Under which heading the image stands in forms."""
    if image.recommended:
        return "Recommended"
    return TITLES[Kind(image.kind)] if image.kind else "Images"


def _size(size: SizeChoice, choices: Choices, rooms: Rooms) -> dict[str, Any]:
    """A size as the catalogue has it, its price, and how many would find a place now."""
    open_sizes = [one for one in choices.sizes if any(map(one.open_to, choices.groups))]
    return {
        **_entry(size, choices),
        **asdict(size.resources),
        "core_hours_per_hour": preview.core_hours_per_hour(size.resources.cpu_millicores),
        "free_now": rooms.of_size(size.name),
        "room": rooms.words(size.name, open_sizes) or None,
    }


def _entry(entry: Entry, choices: Choices) -> dict[str, Any]:
    """`allowed_groups` has those of the person's groups that may use it; None means all."""
    groups = entry.allowed_groups
    names = [group.name for group in choices.groups if entry.open_to(group)]
    return {
        "name": entry.name,
        "title": entry.title,
        "default": entry.default,
        "allowed_groups": None if groups is None else names,
    }


def _last_choice(hub: Hub, person: Person) -> dict[str, str | None] | None:
    """What the person chose for the newest session at the hub; None before the first."""
    own = Session.objects.filter(user=person.id, hub=hub, is_rescue=False)
    mine = own.select_related("group")
    last = mine.newest_first().first()
    if last is None:
        return None
    group = last.group.name if last.group else None
    return {"group": group, "image": last.image or None, "size": last.size or None}
