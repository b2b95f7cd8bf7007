"""What a browser notes in its session when it sets out to a provider; each note serves once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from django.http import HttpRequest
from django.urls import reverse

from accounts.identity.failures import SignInFailedError
from accounts.identity.providers import Provider

STATES = "oidc_states"  # the library's key in the session: state -> nonce, verifier, age
FLOW_AGE = 3600  # seconds that a person may take at the provider


@dataclass(frozen=True)
class Flow:
    """A way to a provider and back: its secrets, and what to do at its end.

    `link_to`: the person to whom the identity is linked; None when somebody signs in.
    """

    path: str
    link_to: int | None
    code_verifier: str
    nonce: str | None


def callback_address(request: HttpRequest, provider: Provider) -> str:
    """Where the provider sends people back: an address for each, so that answers cannot mix."""
    return request.build_absolute_uri(reverse("sign_in_callback", args=[provider.name]))


def bind_flow(
    request: HttpRequest, provider: Provider, address: str, *, path: str, link_to: int | None
) -> None:
    """Note what belongs to the way that begins at the address: its provider and its end."""
    state = parse_qs(urlsplit(address).query)["state"][0]
    request.session[STATES][state] |= {"provider": provider.name, "next": path, "link": link_to}
    request.session.modified = True


def take_flow(request: HttpRequest, provider: Provider) -> Flow:
    """What this browser noted when it set out. Raises SignInFailedError."""
    note = request.session.get(STATES, {}).pop(request.GET.get("state"), None)
    request.session.modified = True
    if note is None or note.get("provider") != provider.name:
        raise SignInFailedError(
            "unknown_state",
            "This sign-in was not begun in this browser, or it was already finished.",
        )
    if time.time() - note["added_on"] > FLOW_AGE:
        raise SignInFailedError("too_late", "This sign-in took too long.")
    return Flow(note["next"], note["link"], note["code_verifier"], note["nonce"])


def code_of(request: HttpRequest) -> str:
    """The code with which the provider answered. Raises SignInFailedError."""
    if "error" in request.GET:
        raise SignInFailedError(
            "refused",
            "The identity provider did not sign you in.",
            detail=f"{request.GET['error']}: {request.GET.get('error_description', '')}",
        )
    code = request.GET.get("code")
    if not code:
        raise SignInFailedError("no_code", "The identity provider's answer is incomplete.")
    return code
