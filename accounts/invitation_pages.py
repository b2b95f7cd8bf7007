"""The page behind the link of an invitation."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import invitations
from accounts.invitations import InvitationError
from accounts.invited import forget_invitation, note_invitation
from accounts.models import Invitation, User
from lsp_portal.lib import clock


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, secret: str) -> HttpResponseBase:
    """What the invitation offers; accepted by who is signed in, others are sent to sign in."""
    at = clock.now()
    try:
        found = invitations.find(secret)
        if _is_own_account(request, found):
            return redirect("landing")
        invitations.ensure_open(found, at=at)
        if request.method != "POST":
            return render(request, "accounts/invitation.html", {"invitation": found})
        if isinstance(request.user, User):
            invitations.accept(invitation=found, user=request.user, at=at)
    except InvitationError as error:
        shown = {"text": str(error)}
        return render(request, "accounts/invitation_failed.html", shown, status=error.status)
    return _accepted(request, found) if isinstance(request.user, User) else _sign_in(request, found)


def _is_own_account(request: HttpRequest, found: Invitation) -> bool:
    """Whether the sign-in itself has accepted it, as it does for guests."""
    accepted = found.accepted_at is not None and found.account_id is not None
    return accepted and found.accepted_by_id == request.user.pk


def _accepted(request: HttpRequest, found: Invitation) -> HttpResponseBase:
    forget_invitation(request)
    role = found.get_role_display()
    messages.success(request, f"You are {role} of {found.group.title} now.")
    return redirect("landing")


def _sign_in(request: HttpRequest, found: Invitation) -> HttpResponseBase:
    note_invitation(request, found)
    return redirect(f"{reverse('login')}?{urlencode({'next': request.path})}")
