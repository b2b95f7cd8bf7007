"""The way to an identity provider and back."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.access import local_path, signed_in
from accounts.identity.arrivals import let_in
from accounts.identity.assertions import Assertion
from accounts.identity.attempts import note_failure, note_success
from accounts.identity.choice import remember
from accounts.identity.failures import SignInFailedError
from accounts.identity.flows import Flow, bind_flow, take_flow
from accounts.identity.kinds import kind_of
from accounts.identity.proof import is_proof_recent, note_proof
from accounts.identity.providers import Provider, provider_or_404
from accounts.invited import noted_invitation
from accounts.linking import link as link_proved
from accounts.models import User
from lsp_portal.lib import clock
from lsp_portal.lib.acting import acting


@never_cache
@require_GET
def sign_in_with(request: HttpRequest, provider: str) -> HttpResponseBase:
    """Sends the person to the provider to sign in."""
    path = local_path(request, request.GET.get("next"))
    return _set_out(request, provider_or_404(provider), path)


@never_cache
@require_POST
@signed_in
def link(request: HttpRequest, provider: str) -> HttpResponseBase:
    """Sends somebody who signed in not long ago to another provider, to link an identity there."""
    chosen = provider_or_404(provider)
    if not is_proof_recent(request, at=clock.now()):
        return redirect("prove_identity")
    return _set_out(request, chosen, "/account/identities/", link_to=request.user.pk)


@never_cache
@require_GET
def callback(request: HttpRequest, provider: str) -> HttpResponseBase:
    """Receives the person from the provider; whatever is wrong becomes a page that says so."""
    chosen, now = provider_or_404(provider), clock.now()
    try:
        flow = take_flow(request, chosen)
        assertion = kind_of(chosen).proved(request, chosen, flow)
        if flow.link_to is not None:
            return _link(request, chosen, flow, assertion, now)
        invitation = noted_invitation(request, at=now)
        user = let_in(provider=chosen, assertion=assertion, at=now, invitation=invitation)
    except SignInFailedError as failure:
        return _refuse(request, chosen, failure, now)
    _sign_in(request, user, now)
    note_success(provider=chosen, user=user, at=now, address=acting().address)
    answer = HttpResponseRedirect(flow.path)
    remember(answer, chosen)
    return answer


def _set_out(
    request: HttpRequest, provider: Provider, path: str, link_to: int | None = None
) -> HttpResponseBase:
    again = link_to is not None or "again" in request.GET
    try:
        address = kind_of(provider).way_there(request, provider, again=again)
    except SignInFailedError as failure:
        return _refuse(request, provider, failure, clock.now())
    bind_flow(request, provider, address, path=path, link_to=link_to)
    return HttpResponseRedirect(address)


def _sign_in(request: HttpRequest, user: User, at: datetime) -> None:
    """A new session key also where the same person was signed in: none that was known before."""
    login(request, user)
    request.session.cycle_key()
    note_proof(request, at=at)


def _link(
    request: HttpRequest, provider: Provider, flow: Flow, assertion: Assertion, at: datetime
) -> HttpResponse:
    user = request.user
    if not isinstance(user, User) or user.pk != flow.link_to:
        raise SignInFailedError(
            "other_person", "Somebody else is signed in now than when the linking began."
        )
    link_proved(user=user, provider=provider, assertion=assertion, at=at)
    note_success(provider=provider, user=user, at=at, detail="linked", address=acting().address)
    messages.success(request, f"You can now also sign in with {provider.title}.")
    return redirect(flow.path)


def _refuse(
    request: HttpRequest, provider: Provider, failure: SignInFailedError, at: datetime
) -> HttpResponse:
    """The page that says why nobody was signed in, and the record of it."""
    user = request.user if isinstance(request.user, User) else None
    note_failure(provider=provider, failure=failure, user=user, at=at, address=acting().address)
    return render(
        request, "accounts/sign_in_failed.html", {"text": failure.text}, status=failure.status
    )
