"""Who is told of a request that another group pays, and how."""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse

from accounts.models import Group, Membership, Topic, User
from accounts.notices.announcing import Message, announce
from lsp_portal.lib.display import core_hours
from sessions.models import Reattribution


def asked(row: Reattribution, *, at: datetime) -> None:
    """The PIs of the group that is to pay are asked; the group that pays is told.

    Where the group has no PI, administrators are asked.
    """
    said = f"{row.asked_by.title} asks that {row.to_group.title} pays for session"
    said += f" {row.session_id}, which {row.from_group.title} pays for: {row.reason}"
    deciders = _pis(row.to_group, at=at) or _administrators()
    _tell(row, said, to=[one for one in deciders if one != row.asked_by], at=at)
    informed = {*_pis(row.from_group, at=at), *_person(row)} - {row.asked_by, *deciders}
    _tell(row, f"{said}\n\nA PI of {row.to_group.title} decides.", to=list(informed), at=at)


def closed(row: Reattribution, *, at: datetime) -> None:
    """Everybody concerned but who decided is told what became of it."""
    by = f" by {row.decided_by.title}" if row.decided_by else ""
    said = f"The request of {row.asked_by.title} that {row.to_group.title} pays for session"
    said += f" {row.session_id} instead of {row.from_group.title} is"
    said += f" {row.get_state_display()}{by}."
    if row.adjustment is not None:
        moved = row.adjustment.booked
        seconds = int((moved.ended_at - moved.started_at).total_seconds()) if moved.ended_at else 0
        said += f" {core_hours(seconds * moved.cpu_millicores)} core-hours moved."
    said += f"\n\n{row.answer}" if row.answer else ""
    concerned = {*_pis(row.from_group, at=at), *_pis(row.to_group, at=at), *_person(row)}
    _tell(row, said, to=list((concerned | {row.asked_by}) - {row.decided_by}), at=at)


def _pis(group: Group, *, at: datetime) -> list[User]:
    """The PIs: those who look after the group and need no right for it."""
    pis = Membership.objects.valid(at=at).filter(group=group, role=Membership.Role.PI)
    return list(User.objects.filter(pk__in=pis.values("user"), is_active=True))


def _administrators() -> list[User]:
    staff = User.objects.filter(is_staff=True, is_active=True).order_by("username")
    return [one for one in staff if one.has_perm("hub_sessions.add_adjustment")]


def _person(row: Reattribution) -> list[User]:
    return [row.session.user] if row.session.user else []


def _tell(row: Reattribution, text: str, *, to: list[User], at: datetime) -> None:
    message = Message(
        topic=Topic.REQUEST,
        key=f"reattribution:{row.pk}:{row.state}",
        subject=f"Session {row.session_id}: {row.to_group.title} instead of"
        f" {row.from_group.title}, {row.get_state_display()}",
        text=text,
        link=reverse("reattribution", args=[row.pk]),
        link_label="The request",
    )
    announce(message, to=to, at=at)
