"""What a group's page says about the enforcement of its quota at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts.models import Group, Membership, User
from quotas.ladder import Outlook, Step
from quotas.models import ComputeQuota
from sessions.enforcement import Standing, overshoot_bound, standings
from sessions.grace_links import link_token

THEN: dict[str, str] = {
    ComputeQuota.Mode.NOMINAL: "When it is used up, what is used beyond it is counted; nothing is "
    "refused or stopped.",
    ComputeQuota.Mode.SOFT: "When it is used up, new sessions are refused; running ones go on.",
    ComputeQuota.Mode.HARD: "When it is used up, new sessions are refused, and running ones are "
    "stopped after a time to wrap up.",
}


@dataclass(frozen=True, slots=True)
class Enforced:
    """How the quota of the current period stands, and what happens next.

    `beyond` is the most that running sessions can use beyond a hard quota; `token` is there where
    the person may grant grace.
    """

    outlook: Outlook
    step: str
    is_used_up: bool
    rate: int
    then: str
    stops_at: datetime | None
    beyond: int | None
    token: str | None


def enforced(group: Group, user: User, *, at: datetime) -> Enforced | None:
    """How the group's quota stands; None without one."""
    found = standings(at=at, group=group)
    if not found:
        return None
    one, outlook = found[0], found[0].outlook(at=at)
    return Enforced(
        outlook=outlook,
        step=outlook.step.words,
        is_used_up=outlook.step >= Step.EXHAUSTED,
        rate=one.level.rate,
        then=THEN[one.quota.mode],
        stops_at=one.stops_at if outlook.step > Step.EXHAUSTED else None,
        beyond=overshoot_bound(group, at=at) if one.level.stops else None,
        token=_token(one, outlook, user, at=at),
    )


def _token(one: Standing, outlook: Outlook, user: User, *, at: datetime) -> str | None:
    if outlook.step is not Step.WRAP_UP:
        return None
    entitled = Group.objects.where(user, may=Membership.Right.QUOTA, at=at)
    return link_token(one.quota, one.ladder) if entitled.contains(one.quota.group) else None
