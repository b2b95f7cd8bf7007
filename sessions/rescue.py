"""Rescue sessions: a small server with a home of its own, to make room in the real one.

No group pays for it. So that nobody works for nothing, there is one only while the person's home
is known to be full, one at a time, and it ends by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import User
from sessions import refusals
from sessions.catalogue import Choices, ImageChoice, SizeChoice
from sessions.grants import Ask, Grant, granted_before, record
from sessions.models import Hub, Session
from sessions.refusals import LaunchRefused


@dataclass(frozen=True, slots=True)
class Rescue:
    """What a rescue session would run, and how large it would be."""

    image: ImageChoice
    size: SizeChoice

    def content(self) -> dict[str, Any]:
        """As the launch options tell it."""
        return {
            "image": self.image.name,
            "size": self.size.name,
            "minutes": settings.RESCUE_MINUTES,
            "detail": (
                "Your home is full. A rescue session has a home of its own for "
                f"{settings.RESCUE_MINUTES} minutes, lists what is large in yours, and lets you "
                "remove it. Nobody is charged for it."
            ),
        }


def offer(hub: Hub, choices: Choices) -> Rescue | None:
    """What the person can start to make room; None where that is not needed or not possible."""
    if hub.mode != Hub.Mode.DRIVE or hub.maintenance or not choices.person.full_home:
        return None
    image, size = _image(choices), _size(choices)
    return Rescue(image, size) if image and size else None


def grant(hub: Hub, ask: Ask, choices: Choices, *, at: datetime) -> Grant:
    """Grant a rescue session. Raises LaunchRefused."""
    if choices.person.is_shared and ask.sub_name is None:
        raise refusals.missing_sub_name()
    if hub.maintenance:
        raise refusals.maintenance(hub)
    chosen = offer(hub, choices)
    if chosen is None:
        raise refusals.no_rescue(hub, choices.person)
    with transaction.atomic(durable=True):
        User.objects.select_for_update(no_key=True).get(pk=choices.person.id)
        _check_number(hub, ask, choices, at=at)
        granted = record(hub, ask, choices, None, chosen.image, chosen.size, at=at)
        granted = granted or granted_before(hub, ask, at=at)
    if granted is None:
        raise _runs_already(ask)
    return granted


def _check_number(hub: Hub, ask: Ask, choices: Choices, *, at: datetime) -> None:
    """Refuse a second rescue session anywhere, and more servers than the hub allows."""
    mine = Session.objects.filter(user=choices.person.id).holding(at=at)
    others = mine.exclude(hub=hub, seat=ask.seat)
    if others.filter(is_rescue=True).exists():
        raise refusals.too_many_rescues()
    used = others.filter(hub=hub).values("seat").distinct().count()
    if hub.max_sessions_per_user is not None and used >= hub.max_sessions_per_user:
        raise refusals.too_many_sessions(hub.max_sessions_per_user, used)


def _image(choices: Choices) -> ImageChoice | None:
    """The default of the hub, else a recommended one, of those open to a group of the person."""
    usable = [
        image
        for image in choices.images
        if image.allowed_groups is None or any(map(image.open_to, choices.groups))
    ]
    ranked = sorted(usable, key=lambda image: (not image.default, not image.recommended))
    return next(iter(ranked), None)


def _size(choices: Choices) -> SizeChoice | None:
    """The smallest that there is."""

    def smallness(size: SizeChoice) -> tuple[int, int, int]:
        resources = size.resources
        return resources.gpus, resources.cpu_millicores, resources.memory_mib

    return min(choices.sizes, key=smallness, default=None)


def _runs_already(ask: Ask) -> LaunchRefused:
    return LaunchRefused(
        "conflict",
        f"The session {ask.session} runs already, so it cannot become a rescue session. "
        "Choose a new id for a new session.",
        status=409,
    )
