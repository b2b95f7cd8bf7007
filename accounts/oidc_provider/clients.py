"""The clients of the OpenID provider: hubs, mostly."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from oauth2_provider.models import get_application_model

HUB_CALLBACK = "/hub/oauth_callback"


class BadRedirectError(ValueError):
    """An address to which the provider must not send anybody."""


@dataclass(frozen=True)
class HubLogout:
    """Where somebody ends the login at a hub."""

    title: str
    url: str


def ensure_client(*, name: str, redirect_uris: list[str], needs_consent: bool) -> tuple[str, str]:
    """The id and secret of the client with that name, made or brought up to date.

    The secret of a client that exists is not told again: it comes empty. It is kept as it is, not
    hashed: a slow hash would be computed at every refresh of every hub, and 256 random bits need
    none. Raises BadRedirectError.
    """
    for address in redirect_uris:
        _check_redirect(address)
    secret = secrets.token_urlsafe(32)
    application, is_new = get_application_model().objects.update_or_create(
        name=name,
        defaults={
            "redirect_uris": " ".join(redirect_uris),
            "skip_authorization": not needs_consent,
        },
        create_defaults={
            "name": name,
            "redirect_uris": " ".join(redirect_uris),
            "skip_authorization": not needs_consent,
            "client_type": "confidential",
            "authorization_grant_type": "authorization-code",
            "algorithm": "RS256",
            "client_secret": secret,
            "hash_client_secret": False,
        },
    )
    return application.client_id, secret if is_new else ""


def client_credentials(name: str) -> tuple[str, str]:
    """The id and secret of the client with that name, for a program that sets up its hub."""
    application = get_application_model().objects.get(name=name)
    return application.client_id, application.client_secret


def hub_logouts() -> list[HubLogout]:
    """Where people sign out of the hubs that sign people in here."""
    found = []
    for application in get_application_model().objects.order_by("name"):
        for address in application.redirect_uris.split():
            if address.endswith(HUB_CALLBACK):
                base = address.removesuffix("oauth_callback")
                found.append(HubLogout(application.name, f"{base}logout"))
    return found


def _check_redirect(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment:
        raise BadRedirectError(f"{address} is not an address that a browser can be sent to.")
