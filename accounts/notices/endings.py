"""Memberships that end soon: the person is told, and who can prolong it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse

from accounts.models import Membership, Topic
from accounts.notices.announcing import Message, announce, responsible_for
from lsp_portal.lib.display import plain_moment

THRESHOLDS = (3, 14)
"""Days before the end, the last warning first."""


def announce_endings(*, at: datetime) -> int:
    """Tell of memberships that end within 14 days, and again within 3; how many end.

    Read from the rows, so that a day without it loses nothing; who was told is not told again,
    unless the end was moved meanwhile.
    """
    found = ending(at=at, within=timedelta(days=max(THRESHOLDS)))
    rows = list(found.select_related("user", "group").order_by("valid_to", "pk"))
    for row in rows:
        if row.valid_to is not None:
            _announce(row, row.valid_to, at)
    return len(rows)


def ending(*, at: datetime, within: timedelta) -> QuerySet[Membership]:
    """Memberships of people and groups that go on, after which there is no other one."""
    then = OuterRef("valid_to")
    later = Q(valid_to=None) | Q(valid_to__gt=then) | Q(valid_to=then, pk__gt=OuterRef("pk"))
    goes_on = Membership.objects.filter(
        later, user=OuterRef("user"), group=OuterRef("group"), valid_from__lte=then
    )
    is_open = Q(group__closed_at=None) | Q(group__closed_at__gt=at)
    found = Membership.objects.valid(at=at).filter(is_open, valid_to__lte=at + within)
    return found.filter(~Exists(goes_on), user__is_active=True)


def _announce(row: Membership, end: datetime, at: datetime) -> None:
    days = next(days for days in THRESHOLDS if end <= at + timedelta(days=days))
    key = f"membership:{row.pk}:{end:%Y%m%dT%H%M%SZ}:{days}"
    when = plain_moment(end)
    leaders = responsible_for(row.group, right=Membership.Right.MEMBERS, at=at)
    others = [leader for leader in leaders if leader.pk != row.user_id]
    announce(_to_member(row, key, when), to=[row.user], at=at)
    announce(_to_leaders(row, key, when), to=others, at=at)


def _to_member(row: Membership, key: str, when: str) -> Message:
    group = row.group.title
    return Message(
        topic=Topic.MEMBERSHIP,
        key=key,
        subject=f"Your membership of {group} ends on {when}",
        text=f"You are {row.get_role_display()} of {group} until {when}. From then on nothing of "
        "yours can be charged to the group, and your servers that it pays for are stopped.\n\n"
        "If you go on working for the group, ask one of its PIs to prolong the membership.",
        link=reverse("account"),
        link_label="See your groups",
    )


def _to_leaders(row: Membership, key: str, when: str) -> Message:
    person, group = row.user.title, row.group.title
    return Message(
        topic=Topic.MEMBERSHIP,
        key=key,
        subject=f"{person}'s membership of {group} ends on {when}",
        text=f"{person} ({row.user.username}) is {row.get_role_display()} of {group} until {when}. "
        "From then on nothing can be charged to the group, and servers that it pays for are "
        "stopped.\n\nIf that is right, there is nothing to do. If not, give it a later end.",
        link=reverse("group_membership", args=(row.group.name, row.pk)),
        link_label="Look at the membership",
    )
