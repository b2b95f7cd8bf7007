"""OpenID Connect: mozilla-django-oidc, bound to one of several providers and hardened.

The library asks for its settings by name; here the answers come from the provider at hand.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import requests
from django.http import HttpRequest
from django.urls import reverse
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from accounts.identity.discovery import TIMEOUT, metadata
from accounts.identity.failures import AccountSwitchedOffError, SignInFailedError
from accounts.identity.providers import Provider
from accounts.identity.tokens import verified_claims
from accounts.models import User
from accounts.registration import sign_in_identity
from lsp_portal.lib import clock

logger = logging.getLogger(__name__)


def library_settings(provider: Provider) -> dict[str, Any]:
    """What mozilla-django-oidc reads from Django's settings, for one provider."""
    document = metadata(provider)
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return {
        "OIDC_OP_AUTHORIZATION_ENDPOINT": document["authorization_endpoint"],
        "OIDC_OP_TOKEN_ENDPOINT": document["token_endpoint"],
        "OIDC_OP_USER_ENDPOINT": document.get("userinfo_endpoint"),
        "OIDC_RP_CLIENT_ID": provider.client_id,
        "OIDC_RP_CLIENT_SECRET": provider.client_secret,
        "OIDC_RP_SCOPES": provider.scopes,
        "OIDC_AUTHENTICATION_CALLBACK_URL": "login",  # replaced by `callback_address`
        "OIDC_TOKEN_USE_BASIC_AUTH": "client_secret_basic" in methods,
        "OIDC_USE_PKCE": True,
        "OIDC_PKCE_CODE_CHALLENGE_METHOD": "S256",
        "OIDC_TIMEOUT": TIMEOUT,
    }


def callback_address(request: HttpRequest, provider: Provider) -> str:
    """Where the provider sends people back: an address for each, so that answers cannot mix."""
    return request.build_absolute_uri(reverse("sign_in_callback", args=[provider.name]))


class ProviderSettings:
    """Answers the library's questions for settings; the class it joins sets `configuration`."""

    configuration: Mapping[str, Any] = {}

    def get_settings(self, name: str, *default: Any) -> Any:
        if default:
            return self.configuration.get(name, default[0])
        return self.configuration[name]


class OIDCBackend(ProviderSettings, OIDCAuthenticationBackend):  # type: ignore[misc]  # untyped base
    """Turns the code that a provider gave into a person of this site."""

    provider: Provider

    def __init__(self) -> None:
        """Nothing is known before `authenticate` is told the provider."""
        self.UserModel = User

    def authenticate(
        self,
        request: HttpRequest | None,
        provider: Provider | None = None,
        nonce: str | None = None,
        code_verifier: str | None = None,
    ) -> User | None:
        """The person whom the provider vouches for. Raises SignInFailedError."""
        if request is None or provider is None:
            return None
        self.provider = provider
        self.configuration = library_settings(provider)
        for name, value in self.configuration.items():
            setattr(self, name, value)
        user: User | None = super().authenticate(request, nonce=nonce, code_verifier=code_verifier)
        return user

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        payload["redirect_uri"] = callback_address(self.request, self.provider)
        try:
            token = super().get_token(payload)
        except (requests.RequestException, ValueError) as error:
            logger.warning("no token from %s: %s", self.provider.name, type(error).__name__)
            raise SignInFailedError(
                "no_token", "The identity provider did not confirm this sign-in. Please try again."
            ) from error
        if not _has_texts(token, "id_token", "access_token"):
            raise SignInFailedError("no_token", "The identity provider's answer is incomplete.")
        found: dict[str, Any] = token
        return found

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        return verified_claims(token, self.provider, kwargs.get("nonce"))

    def store_tokens(self, access_token: str, id_token: str) -> None:
        """The tokens have done their work; nothing keeps them."""

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User:
        claims = {**payload, **self.get_userinfo(access_token, id_token, payload)}
        user = sign_in_identity(
            provider=self.provider,
            issuer=payload["iss"],
            subject=claims.get(self.provider.subject_claim),
            claims=claims,
            at=clock.now(),
        )
        if not user.is_active:
            raise AccountSwitchedOffError
        return user

    def get_userinfo(
        self, access_token: str, id_token: str, payload: dict[str, Any]
    ) -> dict[str, Any]:
        """The claims of the userinfo endpoint, which must speak of the same subject."""
        if not self.OIDC_OP_USER_ENDPOINT:
            return {}
        try:
            claims = super().get_userinfo(access_token, id_token, payload)
        except (requests.RequestException, ValueError) as error:
            logger.warning("no userinfo from %s: %s", self.provider.name, error)
            raise SignInFailedError(
                "no_userinfo", "The identity provider does not say who you are. Please try again."
            ) from error
        if not isinstance(claims, dict) or claims.get("sub") != payload["sub"]:
            raise SignInFailedError(
                "other_subject", "The identity provider spoke of two different people."
            )
        return claims

    def get_user(self, user_id: int) -> User | None:
        """The person of a running login; nobody once the account is switched off."""
        return User.objects.filter(pk=user_id, is_active=True).first()


def _has_texts(document: object, *names: str) -> bool:
    return isinstance(document, dict) and all(isinstance(document.get(n), str) for n in names)
