"""Grace: those responsible let the running sessions of a hard quota go on for a while.

Once for each exhaustion of a quota, until `QUOTA_GRACE_MINUTES` after it was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core import signing
from django.db import transaction

from accounts.models import Group, Membership, User
from lsp_portal.lib.display import plain_moment
from quotas.ladder import Step
from quotas.models import ComputeQuota
from sessions import enforcement
from sessions import enforcement_notices as notices
from sessions.delays import longest_grace
from sessions.enforcement import Standing
from sessions.grace_links import read_token
from sessions.models import LadderStep, QuotaLadder, Session


@dataclass
class GraceRefused(Exception):  # noqa: N818 - a decision, not a fault
    """No grace by this link; the text says why and what would help."""

    text: str
    status: int

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be granted: sessions that end at `stops_at` may go on until `until`."""

    standing: Standing
    stops_at: datetime
    until: datetime

    @property
    def group(self) -> Group:
        return self.standing.quota.group


def offered(token: str, *, user: User, at: datetime) -> Offer:
    """What the link offers to the person. Raises GraceRefused."""
    quota, generation, ends = _content(token)
    entitled = Group.objects.where(user, may=Membership.Right.QUOTA, at=at)
    if not entitled.filter(pk=quota.group_id).exists():
        raise GraceRefused(
            "This link is for the PIs of another group, and for its managers who may ask for more "
            "hours. You are not one of them.",
            status=403,
        )
    _check_unused(quota, generation)
    found = enforcement.standings(group=quota.group, at=at)
    if ends <= at.timestamp() or not found or not _still_holds(found[0], quota, generation, at):
        raise GraceRefused(
            "This link has ended: the time to wrap up is over, or the group has core-hours again. "
            "The group's page says how its quota stands.",
            status=410,
        )
    return _offer(found[0], at)


def _content(token: str) -> tuple[ComputeQuota, int, int]:
    try:
        pk, generation, ends = read_token(token)
        quota = ComputeQuota.objects.select_related("group").get(pk=pk)
    except (signing.BadSignature, ComputeQuota.DoesNotExist):
        raise GraceRefused(
            "The portal did not make this link, or a part of it was lost on the way. Open it from "
            "the notice again, or use the button on the group's page.",
            status=404,
        ) from None
    return quota, generation, ends


def _check_unused(quota: ComputeQuota, generation: int) -> None:
    rows = LadderStep.objects.filter(quota=quota, generation=generation, step=Step.GRACE.value)
    used = rows.select_related("granted_by").first()
    if used is not None and used.granted_by is not None:
        raise GraceRefused(
            f"This link was used: {used.granted_by.title} granted the grace on "
            f"{plain_moment(used.reached_at)}. It can be granted once each time a quota is used "
            "up; an administrator of the platform can raise the quota.",
            status=409,
        )


def _still_holds(found: Standing, quota: ComputeQuota, generation: int, at: datetime) -> bool:
    same = found.quota.pk == quota.pk and found.ladder.generation == generation
    return same and found.level.must_stop and found.outlook(at=at).step is Step.WRAP_UP


def _offer(found: Standing, at: datetime) -> Offer:
    return Offer(found, found.stops_at or at, found.ladder.grace_end(longest_grace()) or at)


def grant(token: str, *, by: User, at: datetime) -> Offer:
    """Grant what the link offers, and tell everybody concerned. Raises GraceRefused."""
    with transaction.atomic():
        enforcement.lock_steps()
        offer = offered(token, user=by, at=at)
        one = offer.standing
        _write(one, offer.until, by=by, at=at)
        waiting = Session.objects.open().filter(
            group=offer.group, stops_at__lt=offer.until, stop_requested_at=None
        )
        for session in waiting.select_related("user", "group", "hub"):
            enforcement.put_off(session, until=offer.until, at=at)
        notices.tell_step(one.quota, one.ladder, Step.GRACE, one.level, stops_at=offer.until, at=at)
    return offer


def _write(one: Standing, until: datetime, *, by: User, at: datetime) -> None:
    LadderStep.objects.create(
        quota=one.quota,
        generation=one.ladder.generation,
        step=Step.GRACE.value,
        reached_at=at,
        used=one.level.used,
        limit=one.level.limit,
        granted_by=by,
    )
    rows = QuotaLadder.objects.filter(pk=one.quota.pk)
    rows.update(step=Step.GRACE.value, grace_until=until)
