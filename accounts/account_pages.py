"""The pages about one's own account."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import signed_in
from accounts.models import Membership, User
from lsp_portal.lib import clock


@never_cache
@require_safe
@signed_in
def account(request: HttpRequest) -> HttpResponse:
    """Who the person is here, and in which groups."""
    own = Membership.objects.valid(at=clock.now()).filter(user=_self(request))
    memberships = own.select_related("group").order_by("group__title", "pk")
    return render(request, "accounts/account.html", {"memberships": memberships})


@never_cache
@require_safe
@signed_in
def identities(request: HttpRequest) -> HttpResponse:
    """Where the person signs in from."""
    found = _self(request).identities.order_by("pk")
    return render(request, "accounts/identities.html", {"identities": found})


def _self(request: HttpRequest) -> User:
    return cast(User, request.user)
