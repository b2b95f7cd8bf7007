"""The pages about one's own account."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.access import signed_in
from accounts.identity.choice import ways
from accounts.identity.proof import is_proof_recent
from accounts.identity.providers import providers
from accounts.linking import unlink as unlink_identity
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
    """Where the person signs in from, with what adds and removes a way."""
    titles = {provider.name: provider.title for provider in providers()}
    found = list(_self(request).identities.order_by("pk"))
    rows = [(identity, titles.get(identity.provider, identity.issuer)) for identity in found]
    return render(
        request, "accounts/identities.html", {"rows": rows, "providers": list(titles.items())}
    )


@never_cache
@require_safe
@signed_in
def affiliation(request: HttpRequest) -> HttpResponse:
    """What providers said of the person's institution, and the way to let them say it again."""
    found = _self(request).affiliations.order_by("-last_seen_at", "pk")
    again = ways(request, reverse("account_affiliation"), again="1")
    return render(request, "accounts/affiliation.html", {"rows": found, "ways": again})


@never_cache
@require_safe
@signed_in
def prove(request: HttpRequest) -> HttpResponse:
    """Asks who signed in long ago to do it again; then back to the identities."""
    if is_proof_recent(request, at=clock.now()):
        return redirect("identities")
    found = ways(request, reverse("identities"), again="1")
    return render(request, "accounts/identities_prove.html", {"ways": found})


@require_POST
@signed_in
def unlink(request: HttpRequest, number: int) -> HttpResponse:
    """Forgets one of the person's identities; who signed in long ago proves themselves first."""
    identity = get_object_or_404(_self(request).identities, pk=number)
    if not is_proof_recent(request, at=clock.now()):
        return redirect("prove_identity")
    try:
        unlink_identity(user=_self(request), identity=identity, at=clock.now())
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, "The identity is no longer linked to your account.")
    return redirect("identities")


def _self(request: HttpRequest) -> User:
    return cast(User, request.user)
