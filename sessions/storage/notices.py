"""Telling people how full their homes and group areas are: each step once.

What was told are notices, what happened are samples: nothing else is remembered. The key of a
notice carries the day of the rise, which follows from the samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F
from django.urls import reverse

from accounts.models import Group, Membership, Notice, Topic, User
from accounts.notices.announcing import Message, announce, responsible_for
from lsp_portal.lib.display import byte_size, long_day, plain_moment
from quotas.fullness import STEPS, last_fall, last_rise
from quotas.growth import DAYS, Growth, Point
from quotas.models import HomeQuota
from sessions.models import StorageSample
from sessions.storage.areas import Area, of_group, of_home
from sessions.storage.history import days_before

FRESH = timedelta(days=2)
"""Of an area that was not measured since nobody is told."""

LOOKED_AT = 366
"""Days in which a rise or a fall is looked for."""

SOON = timedelta(days=14)

HALF = 50
"""Percent of the quota below which a forecast tells nobody anything."""


def tell_storage(*, at: datetime) -> int:
    """Tell the people of homes and groups that became full; how many notices were written."""
    return sum(_tell(area, message, at) for area in _areas(at) for message in _news(area, at))


def _areas(at: datetime) -> Iterator[Area]:
    """Those with a quota that is half used, as measured lately and in whole."""
    candidates = (area for found in (_homes(at), _groups(at)) for area in found)
    for area in candidates:
        is_fresh = area.taken_at is not None and area.taken_at >= at - FRESH
        if is_fresh and not area.is_stale and area.limit and _percent(area) >= HALF:
            yield area


def _homes(at: datetime) -> Iterator[Area]:
    """Homes that may be half full, by the samples of these days and the smallest quota of all."""
    exceptions = HomeQuota.objects.in_force(at=at).values_list("limit_bytes", flat=True)
    smallest = min([settings.HOME_QUOTA_BYTES, *exceptions])
    samples = StorageSample.objects.filter(taken_at__gte=at - FRESH, user__is_active=True)
    by_quota = samples.filter(used_bytes__gte=smallest * HALF // 100)
    by_limit = samples.filter(limit_bytes__gt=0, used_bytes__gte=F("limit_bytes") * HALF / 100)
    users = User.objects.filter(pk__in=(by_quota | by_limit).values("user"))
    for user in users.order_by("pk").iterator():
        yield from of_home(user, at=at)


def _groups(at: datetime) -> Iterator[Area]:
    measured = StorageSample.objects.filter(taken_at__gte=at - FRESH, group__isnull=False)
    for group in Group.objects.filter(pk__in=measured.values("group")).order_by("pk").iterator():
        if not group.is_closed(at=at):
            yield of_group(group, at=at)


def _news(area: Area, at: datetime) -> Iterator[Message]:
    limit = area.limit
    points = days_before(area, LOOKED_AT, at=at)
    if limit is None or not points:
        return
    rise = last_rise(points, limit)
    if rise is not None:
        yield _risen(area, limit, rise.step, f"{rise.step}:{rise.day or 'first'}")
    pace = Growth.of([point for point in points if point[0] > at - timedelta(days=DAYS)])
    full_at = pace.full_at(limit) if pace else None
    if full_at is not None and area.used < limit and full_at - at < SOON:
        yield _soon(area, limit, full_at, points)


def _tell(area: Area, message: Message, at: datetime) -> int:
    owner = area.owner
    people = (
        [owner]
        if isinstance(owner, User)
        else responsible_for(owner, right=Membership.Right.USAGE, at=at)
    )
    told = set(Notice.objects.filter(key=message.key).values_list("recipient", flat=True))
    new = [person for person in people if person.pk not in told]
    if new:
        announce(message, to=new, at=at)
    return len(new)


def _risen(area: Area, limit: int, step: int, key: str) -> Message:
    what = _what(area)
    subject = f"{what} is full" if step == STEPS[-1] else f"{what} is {step} % full"
    return _message(area, key, subject, _so_far(area, limit), _advice(area))


def _soon(area: Area, limit: int, full_at: datetime, points: list[Point]) -> Message:
    """Told once, and again after what was stored had become five points less."""
    day = long_day(full_at)
    return _message(
        area,
        f"soon:{last_fall(points, limit) or 'first'}",
        f"{_what(area)} is full on about {day}",
        f"{_so_far(area, limit)} At the pace of the last {DAYS} days it is full on about {day}.",
        _advice(area),
    )


def _message(area: Area, key: str, subject: str, *paragraphs: str) -> Message:
    owner = area.owner
    if isinstance(owner, User):
        kind, link = "home", reverse("my_storage")
    else:
        kind, link = "group", reverse("group_storage", args=[owner.name])
    return Message(
        topic=Topic.STORAGE,
        key=f"storage:{kind}-{owner.pk}:{area.mount}:{key}",
        subject=subject,
        text="\n\n".join(paragraphs),
        link=link,
        link_label="See what is stored",
    )


def _what(area: Area) -> str:
    if isinstance(area.owner, User):
        return f"Your home in {area.mount}"
    return f"The storage of {area.owner.title}"


def _so_far(area: Area, limit: int) -> str:
    measured = f", measured {plain_moment(area.taken_at)}" if area.taken_at else ""
    return (
        f"{_what(area)} takes {byte_size(area.used)} of {byte_size(limit)} "
        f"({_percent(area)} %){measured}."
    )


def _advice(area: Area) -> str:
    if isinstance(area.owner, User):
        return (
            "Delete what you do not need any more, or move it to the area of a group. With a full "
            "home no server starts."
        )
    return "Delete what the group does not need any more, or ask for more storage."


def _percent(area: Area) -> int:
    return 100 * area.used // area.limit if area.limit else 0
