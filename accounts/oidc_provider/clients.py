"""The clients of the OpenID provider: hubs, mostly."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.db import transaction
from oauth2_provider.models import (
    get_access_token_model,
    get_application_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)

from accounts.models import User

HUB_CALLBACK = "/hub/oauth_callback"


class BadRedirectError(ValueError):
    """An address to which the provider must not send anybody."""


@dataclass(frozen=True)
class HubLogout:
    """Where somebody ends the login at a hub."""

    title: str
    url: str


def ensure_client(
    *,
    name: str,
    redirect_uris: list[str],
    needs_consent: bool,
    logout_uris: Sequence[str] = (),
) -> tuple[str, str]:
    """The id and secret of the client with that name, made or brought up to date.

    The secret of a client that exists is not told again: it comes empty. It is kept as it is, not
    hashed: a slow hash would be computed at every refresh of every hub, and 256 random bits need
    none. Raises BadRedirectError.
    """
    for address in (*redirect_uris, *logout_uris):
        _check_redirect(address)
    secret = secrets.token_urlsafe(32)
    changeable = {
        "redirect_uris": " ".join(redirect_uris),
        "post_logout_redirect_uris": " ".join(logout_uris),
        "skip_authorization": not needs_consent,
    }
    application, is_new = get_application_model().objects.update_or_create(
        name=name,
        defaults=changeable,
        create_defaults=changeable
        | {
            "name": name,
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


def end_logins(user: User) -> None:
    """End the person's logins at all clients: they notice it when they ask about the person.

    Tokens that are only revoked would work once more during the grace of refreshes.
    """
    with transaction.atomic():
        get_refresh_token_model().objects.filter(user=user).delete()
        get_access_token_model().objects.filter(user=user).delete()
        get_id_token_model().objects.filter(user=user).delete()
        get_grant_model().objects.filter(user=user).delete()


def _check_redirect(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment:
        raise BadRedirectError(f"{address} is not an address that a browser can be sent to.")
