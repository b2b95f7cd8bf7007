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
    flow: Flow | None = None
    try:
        flow = take_flow(request, chosen)
        assertion = kind_of(chosen).proved(request, chosen, flow)
        end = _sign_in if flow.link_to is None else _link
        return end(request, chosen, flow, assertion, now)
    except SignInFailedError as failure:
        links = flow is not None and flow.link_to is not None
        return _refuse(request, chosen, failure, now, links=links)


def _set_out(
    request: HttpRequest, provider: Provider, path: str, link_to: int | None = None
) -> HttpResponseBase:
    again = link_to is not None or "again" in request.GET
    try:
        address = kind_of(provider).way_there(request, provider, again=again)
    except SignInFailedError as failure:
        return _refuse(request, provider, failure, clock.now(), links=link_to is not None)
    bind_flow(request, provider, address, path=path, link_to=link_to)
    return HttpResponseRedirect(address)


def _sign_in(
    request: HttpRequest, provider: Provider, flow: Flow, assertion: Assertion, at: datetime
) -> HttpResponse:
    """A new session key also where the same person was signed in: none that was known before."""
    invitation = noted_invitation(request, at=at)
    user = let_in(provider=provider, assertion=assertion, at=at, invitation=invitation)
    login(request, user)
    request.session.cycle_key()
    note_proof(request, at=at)
    note_success(provider=provider, user=user, at=at, address=acting().address)
    answer = HttpResponseRedirect(flow.path)
    remember(answer, provider)
    return answer


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
    request: HttpRequest,
    provider: Provider,
    failure: SignInFailedError,
    at: datetime,
    *,
    links: bool,
) -> HttpResponse:
    """The page that says why nobody was signed in or nothing was linked, and the record of it."""
    user = request.user if isinstance(request.user, User) else None
    note_failure(
        provider=provider,
        failure=failure,
        user=user,
        at=at,
        address=acting().address,
        links=links,
    )
    page = "accounts/identities_failed.html" if links else "accounts/sign_in_failed.html"
    return render(request, page, {"text": failure.text}, status=failure.status)
