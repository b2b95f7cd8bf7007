"""The mails that the portal writes: rendered from `templates/mails/`, as text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from accounts.letters import address, letter
from accounts.models import Invitation, Registration, User
from lsp_portal.lib.plain_text import plain_text


def send_waiting(number: int) -> int:
    """To each administrator: somebody waits. The number of mails."""
    user = User.objects.waiting_for_approval().filter(pk=number).first()
    if user is None:  # decided before the mail was written
        return 0
    shown = {
        "person": user,
        "name": _line(user),
        "address": address("registration", user.username),
    }
    return _send(f"{user.title} waits for approval", "waiting", administrators(), shown)


def send_decision(number: int) -> int:
    """To the person: approved, or rejected and why."""
    row = Registration.objects.select_related("user").get(pk=number)
    word = row.decision
    title = "Your account is approved" if word == "approved" else "Your account is not approved"
    shown = {
        "row": row, "person": row.user, "name": _line(row.user), "address": address("landing")
    }  # fmt: skip
    return _send(title, word, [row.user.email], shown)


def send_invitation(number: int, path: str) -> int:
    """To the invited address: the link."""
    found = Invitation.objects.select_related("group", "invited_by").get(pk=number)
    shown = {
        "invitation": found, "name": _line(found.invited_by),
        "address": settings.PORTAL_URL + path,
    }  # fmt: skip
    return _send(f"Invitation to {found.group.title}", "invitation", [found.email], shown)


def administrators() -> list[str]:
    """Who is told about newcomers: the addresses of the settings, or all active administrators."""
    if settings.REGISTRATION_MAIL_TO:
        return list(settings.REGISTRATION_MAIL_TO)
    staff = User.objects.filter(is_active=True, is_staff=True).exclude(email="")
    return list(staff.order_by("pk").values_list("email", flat=True))


def _send(title: str, template: str, to: Sequence[str], shown: dict[str, Any]) -> int:
    """One mail for each address: nobody learns those of the others."""
    letters = [letter(title, template, one, shown) for one in to if one]
    for mail in letters:
        mail.send()
    return len(letters)


def _line(user: User) -> str:
    """The name on one line: no name writes paragraphs of its own into a mail."""
    return plain_text(user.title)
