"""What a person may start at a hub right now, and why not the rest: the launch options."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from quotas.admission import hold
from quotas.vocabulary import core_hours
from sessions import refusals
from sessions.catalogue import Choices, Entry, GroupChoice, SizeChoice, choices_at
from sessions.holds import Standing, standing
from sessions.launch import check_entry, check_limits, check_open, check_person, fitting
from sessions.models import Hub
from sessions.refusals import LaunchRefused


def launch_options(hub: Hub, *, user_name: str, at: datetime) -> dict[str, Any]:
    """The answer of the hub API, as values of JSON.

    Raises LaunchRefused `unknown_user` and `not_registered`.
    """
    choices = choices_at(hub, user_name=user_name, at=at)
    if choices is None:
        raise refusals.unknown_user(user_name)
    check_person(choices.person)
    return {
        "user": user_name,
        "asks_sub_name": choices.person.is_shared,
        "groups": [_group(hub, choices, group, at) for group in choices.groups],
        "images": [
            _entry(image, choices)
            | {"description": image.description, "reference": image.reference or None}
            for image in choices.images
        ],
        "sizes": [_entry(size, choices) | asdict(size.resources) for size in choices.sizes],
        "idle_rule": hub.idle_rule,
    }


def _group(hub: Hub, choices: Choices, group: GroupChoice, at: datetime) -> dict[str, Any]:
    now = standing(hub, choices.person, group, at=at)
    refusal = _refusal(hub, choices, group, now)
    remaining = now.balance.remaining
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
    }


def _refusal(hub: Hub, choices: Choices, group: GroupChoice, now: Standing) -> LaunchRefused | None:
    """Why the group can start nothing at all: what its cheapest choice would be refused for."""
    try:
        check_open(hub, group)
        _check_any("image", choices.images, group)
        _check_any("size", choices.sizes, group)
        check_limits(hub, choices, group, _cheapest(hub, choices, group), now)
    except LaunchRefused as refusal:
        return refusal
    return None


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
