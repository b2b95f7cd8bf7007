"""Mails about registrations and invitations that were given up: who can do something is told."""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse

from accounts.models import Invitation, Registration, Topic, User
from accounts.notices.announcing import Message, announce


def tell_of_waiting(number: int, *, error: Exception, at: datetime) -> None:
    """Administrators were not told that somebody waits for approval."""
    name = User.objects.get(pk=number).username
    _tell(f"{name} waits for approval", reverse("registration", args=(name,)), [], error, at)


def tell_of_decision(number: int, *, error: Exception, at: datetime) -> None:
    """Somebody was not told what was decided."""
    name = Registration.objects.select_related("user").get(pk=number).user.username
    title = f"the decision about {name}"
    _tell(title, reverse("admin:accounts_registration_change", args=(number,)), [], error, at)


def tell_of_invitation(number: int, *, error: Exception, at: datetime) -> None:
    """Somebody was not invited; who invited can send it again."""
    row = Invitation.objects.select_related("group", "invited_by").get(pk=number)
    title = f"the invitation of {row.email} to {row.group.title}"
    link = reverse("group_invitations", args=(row.group.name,))
    _tell(title, link, [row.invited_by], error, at)


def _tell(title: str, link: str, also: list[User], error: Exception, at: datetime) -> None:
    message = Message(
        topic=Topic.MAIL,
        key=f"mail:{link[:120]}:{at:%Y%m%dT%H%M%SZ}",
        subject=f"A mail was not sent: {title}",
        text=f"The mail server did not take it, and it is not tried again. It said:\n\n{error}",
        link=link,
        link_label="See what it was about",
    )
    staff = User.objects.filter(is_staff=True, is_active=True)
    announce(message, to={*staff, *also}, at=at)
