"""The demo as a whole."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounting import rollups
from accounting.demo.awards import add_periods, add_quotas, add_storage
from accounting.demo.history import add_history
from accounting.demo.people import GROUPS, add_groups, add_people
from accounts.models import Group
from sessions.hub.registry import create_hub
from sessions.models import Hub, Image

SEED = 20260501
HUB = "demo"
HUB_URL = "http://127.0.0.1:8010"
IDLE_RULE = "Servers that nobody uses for an hour are stopped; files in your home stay."

IMAGES = (
    ("rubin-weekly", "Rubin stack, weekly", "The LSST Science Pipelines of this week", False),
    ("astropy", "Astropy", "Astropy and its affiliated packages", False),
    ("rubin-daily", "Rubin stack, daily", "Last night's build, for commissioning", True),
)


class OtherDataError(Exception):
    """The database holds groups that are not the demo's."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was written; `is_new` is False where the demo was there already."""

    is_new: bool
    sessions: int = 0


def load(*, at: datetime) -> Loaded:
    """Write the demo as of that moment: all or nothing, and only into an empty platform.

    Deterministic given the moment. Raises OtherDataError.
    """
    with transaction.atomic():
        known = set(Group.objects.values_list("name", flat=True))
        if known == set(GROUPS):
            return Loaded(is_new=False)
        if known:
            raise OtherDataError(f"The database holds other groups: {', '.join(sorted(known))}.")
        sessions = _write(at)
    rollups.refresh()
    return Loaded(is_new=True, sessions=sessions)


def _write(at: datetime) -> int:
    dice = random.Random(SEED)  # noqa: S311 - invented data, the same each time
    groups = add_groups(at=at)
    add_people(groups, at=at)
    add_quotas(groups, add_periods(at=at))
    add_storage(groups, at=at, dice=dice)
    return add_history(_hub(groups, at=at), at=at, dice=dice)


def _hub(groups: dict[str, Group], *, at: datetime) -> Hub:
    for position, (name, title, description, is_restricted) in enumerate(IMAGES, start=2):
        image, _ = Image.objects.get_or_create(
            name=name,
            defaults={"title": title, "description": description, "position": position},
        )
        if is_restricted:
            image.allowed_groups.set([groups["commissioning"]])
    hub = Hub.objects.filter(name=HUB).first() or create_hub(
        HUB, title="Demo hub", public_url=HUB_URL, api_url=f"{HUB_URL}/hub/api", at=at
    )
    hub.images.set(Image.objects.all())
    hub.idle_rule = hub.idle_rule or IDLE_RULE
    hub.save(update_fields=["idle_rule"])
    return hub
