"""The way to an identity provider and back."""

from __future__ import annotations

import logging
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from mozilla_django_oidc.views import OIDCAuthenticationRequestView

from accounts.access import local_path
from accounts.identity.discovery import metadata
from accounts.identity.failures import SignInFailedError
from accounts.identity.oidc import ProviderSettings, callback_address, library_settings
from accounts.identity.providers import Provider, provider_or_404

logger = logging.getLogger(__name__)

STATES = "oidc_states"  # the library's key in the session: state -> nonce, verifier, age
FLOW_AGE = 3600  # seconds that a person may take at the provider


class SignInView(ProviderSettings, OIDCAuthenticationRequestView):  # type: ignore[misc]  # untyped
    """Sends the person to the provider, with state, nonce and PKCE challenge."""

    provider: Provider

    def __init__(self, **kwargs: Any) -> None:
        """The endpoints follow with the request: the library wants them too early."""

    def get(self, request: HttpRequest, provider: str) -> HttpResponseBase:
        self.provider = provider_or_404(provider)
        try:
            self.configuration = library_settings(self.provider)
        except SignInFailedError as failure:
            return failure_page(request, failure)
        self.OIDC_OP_AUTH_ENDPOINT = self.configuration["OIDC_OP_AUTHORIZATION_ENDPOINT"]
        self.OIDC_RP_CLIENT_ID = self.provider.client_id
        answer: HttpResponseRedirect = super().get(request)
        self._bind_flow(request, answer.url)
        return answer

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        return {"redirect_uri": callback_address(request, self.provider)}

    def _bind_flow(self, request: HttpRequest, address: str) -> None:
        """Note in the session what belongs to this way: its provider and where it ends."""
        state = parse_qs(urlsplit(address).query)["state"][0]
        request.session[STATES][state] |= {
            "provider": self.provider.name,
            "next": local_path(request, request.GET.get("next")),
        }
        request.session.modified = True


@never_cache
@require_GET
def callback(request: HttpRequest, provider: str) -> HttpResponseBase:
    """Receives the person from the provider; whatever is wrong becomes a page that says so."""
    chosen = provider_or_404(provider)
    try:
        flow = _take_flow(request, chosen)
        _check_answer(request, chosen)
        user = authenticate(
            request, provider=chosen, nonce=flow["nonce"], code_verifier=flow["code_verifier"]
        )
        if user is None:
            raise SignInFailedError("no_code", "The identity provider's answer is incomplete.")
    except SignInFailedError as failure:
        return failure_page(request, failure)
    login(request, user)
    return HttpResponseRedirect(flow["next"])


def failure_page(request: HttpRequest, failure: SignInFailedError) -> HttpResponse:
    """The page that says why nobody was signed in."""
    logger.warning("sign-in failed: %s", failure.code)
    return render(
        request, "accounts/sign_in_failed.html", {"text": failure.text}, status=failure.status
    )


def _take_flow(request: HttpRequest, provider: Provider) -> dict[str, Any]:
    """What this browser noted when it set out; each note serves once."""
    flow: dict[str, Any] | None
    flow = request.session.get(STATES, {}).pop(request.GET.get("state"), None)
    request.session.modified = True
    if flow is None or flow["provider"] != provider.name:
        raise SignInFailedError(
            "unknown_state",
            "This sign-in was not begun in this browser, or it was already finished.",
        )
    if time.time() - flow["added_on"] > FLOW_AGE:
        raise SignInFailedError("too_late", "This sign-in took too long.")
    return flow


def _check_answer(request: HttpRequest, provider: Provider) -> None:
    if "error" in request.GET:
        logger.warning("%s answered %r", provider.name, request.GET["error"][:100])
        raise SignInFailedError("refused", "The identity provider did not sign you in.")
    if request.GET.get("iss", metadata(provider)["issuer"]) != metadata(provider)["issuer"]:
        raise SignInFailedError("other_issuer", "Another identity provider answered.")
