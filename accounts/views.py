"""Signing in and out."""

from __future__ import annotations

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.access import local_path
from accounts.identity.choice import ways
from accounts.models import User
from accounts.oidc_provider.clients import end_logins, hub_logouts


@never_cache
@require_safe
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """The choice of an identity provider; with one there is nothing to choose."""
    path = local_path(request, request.GET.get("next"))
    if request.user.is_authenticated:
        return redirect(path)
    found = ways(request, path)
    if len(found) == 1:
        return redirect(found[0].address)
    return render(request, "accounts/sign_in.html", {"ways": found})


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the login here, those at hubs within one refresh, and offers to end them at once."""
    if isinstance(request.user, User):
        end_logins(request.user)
    logout(request)
    return redirect("signed_out")


@never_cache
@require_safe
def signed_out(request: HttpRequest) -> HttpResponse:
    """Where signing out ends, wherever it began."""
    return render(request, "accounts/signed_out.html", {"hubs": hub_logouts()})
