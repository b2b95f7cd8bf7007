"""The invitation whose link a browser followed, noted in its session on the way to a provider."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest

from accounts.models import Invitation

NOTE = "invitation"


def note_invitation(request: HttpRequest, invitation: Invitation) -> None:
    request.session[NOTE] = invitation.pk


def noted_invitation(request: HttpRequest, *, at: datetime) -> Invitation | None:
    """The noted invitation, while it is open."""
    key = request.session.get(NOTE)
    rows = Invitation.objects.open(at=at).select_related("account", "group", "invited_by")
    return rows.filter(pk=key).first() if key is not None else None


def forget_invitation(request: HttpRequest) -> None:
    request.session.pop(NOTE, None)
