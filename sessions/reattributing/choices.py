"""Which groups can pay for a session instead of the one that does, and why others cannot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Group, Membership
from sessions.adjustments import AdjustmentRefused, standing
from sessions.models import Session


@dataclass(frozen=True, slots=True)
class Choice:
    """A group of the person, and why it cannot pay; empty where it can."""

    group: Group
    refusal: str


def payer(session: Session) -> Group | None:
    """The group that is charged for the session now; None where nobody is, or nothing."""
    if session.ready_at is None or session.cpu_millicores is None:
        return None
    try:
        key = standing(session).charged.group_id
    except AdjustmentRefused:
        key = session.group_id
    return Group.objects.filter(pk=key).first() if key else None


def choices(session: Session, paying: Group) -> list[Choice]:
    """Every group that the person ever belonged to but the one that pays, by name."""
    rows = Membership.objects.filter(user=session.user_id).exclude(group=paying)
    ever: dict[Group, list[Membership]] = defaultdict(list)
    for row in rows.select_related("group").order_by("group__name", "valid_from"):
        ever[row.group].append(row)
    then = session.ready_at
    if then is None:
        return []
    return [Choice(group, refusal(group, of, then)) for group, of in ever.items()]


def refusal(group: Group, memberships: Sequence[Membership], then: datetime) -> str:
    """Why the group cannot pay for what began then; empty where it can."""
    if group.opens_at is not None and group.opens_at > then:
        return f"It opened on {group.opens_at:%Y-%m-%d}, after the session began."
    if group.closed_at is not None and group.closed_at <= then:
        return f"It had closed on {group.closed_at:%Y-%m-%d}, before the session began."
    if any(row.is_valid(at=then) for row in memberships):
        return ""
    ended = [row.valid_to for row in memberships if row.valid_to and row.valid_to <= then]
    if ended:
        return f"The membership had ended on {max(ended):%Y-%m-%d}, before the session began."
    first = min(row.valid_from for row in memberships)
    return f"The membership began on {first:%Y-%m-%d}, after the session."
