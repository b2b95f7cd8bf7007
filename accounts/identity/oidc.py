"""OpenID Connect: mozilla-django-oidc, bound to one of several providers and hardened.

The library asks for its settings by name; here the answers come from the provider at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from django.http import HttpRequest, HttpResponseRedirect
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import OIDCAuthenticationRequestView
from requests.auth import HTTPBasicAuth

from accounts.identity.assertions import Assertion, assertion
from accounts.identity.discovery import metadata
from accounts.identity.failures import SignInFailedError
from accounts.identity.flows import Flow, callback_address, code_of
from accounts.identity.providers import Provider
from accounts.identity.tokens import verified_claims
from accounts.identity.web import ask


def way_there(request: HttpRequest, provider: Provider, *, again: bool) -> str:
    """The provider's address with state, nonce and PKCE challenge, which the session notes.

    `again`: the provider is to ask for the password even of somebody it knows.
    """
    return RequestView(provider, again=again).address(request)


def proved(request: HttpRequest, provider: Provider, flow: Flow) -> Assertion:
    """Whom the provider vouches for with its answer. Raises SignInFailedError."""
    code_of(request)
    _check_issuer(request, provider)
    found: Assertion | None = CodeExchange(provider).authenticate(
        request, nonce=flow.nonce, code_verifier=flow.code_verifier
    )
    if found is None:
        raise SignInFailedError("no_code", "The identity provider's answer is incomplete.")
    return found


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
    }


class ProviderSettings:
    """Answers the library's questions for settings; the class it joins sets `configuration`."""

    configuration: Mapping[str, Any] = {}

    def get_settings(self, name: str, *default: Any) -> Any:
        if default:
            return self.configuration.get(name, default[0])
        return self.configuration[name]


class RequestView(ProviderSettings, OIDCAuthenticationRequestView):  # type: ignore[misc]  # untyped
    """Makes the address to which people are sent."""

    def __init__(self, provider: Provider, *, again: bool) -> None:
        self.provider = provider
        self.again = again
        self.configuration = library_settings(provider)
        super().__init__()

    def address(self, request: HttpRequest) -> str:
        answer: HttpResponseRedirect = self.get(request)
        return answer.url

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        prompt = {"prompt": "login"} if self.again else {}
        return {"redirect_uri": callback_address(request, self.provider), **prompt}


class CodeExchange(ProviderSettings, OIDCAuthenticationBackend):  # type: ignore[misc]  # untyped
    """Turns the code that a provider gave into what the provider says about a person."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.configuration = library_settings(provider)
        for name, value in self.configuration.items():
            setattr(self, name, value)

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        payload["redirect_uri"] = callback_address(self.request, self.provider)
        login = None
        if self.configuration["OIDC_TOKEN_USE_BASIC_AUTH"]:
            login = _basic(payload["client_id"], payload.pop("client_secret"))
        answer = ask("POST", self.OIDC_OP_TOKEN_ENDPOINT, data=payload, auth=login)
        if answer.status != 200:
            raise SignInFailedError(
                "no_token",
                "The identity provider did not confirm this sign-in. Please try again.",
                detail=f"status {answer.status}: {str(answer.document)[:200]}",
            )
        if not _has_texts(answer.document, "id_token", "access_token"):
            raise SignInFailedError("no_token", "The identity provider's answer is incomplete.")
        found: dict[str, Any] = answer.document
        return found

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        return verified_claims(token, self.provider, kwargs.get("nonce"))

    def store_tokens(self, access_token: str, id_token: str) -> None:
        """The tokens have done their work; nothing keeps them."""

    def get_or_create_user(
        self, access_token: str, id_token: str, payload: dict[str, Any]
    ) -> Assertion:
        """What the library calls with the proof; people are the business of others."""
        claims = {**payload, **self.get_userinfo(access_token, id_token, payload)}
        return assertion(payload["iss"], claims.get(self.provider.subject_claim), claims)

    def get_userinfo(
        self, access_token: str, id_token: str, payload: dict[str, Any]
    ) -> dict[str, Any]:
        """The claims of the userinfo endpoint, which must speak of the same subject."""
        address = self.OIDC_OP_USER_ENDPOINT
        if not address:
            return {}
        answer = ask("GET", address, headers=_bearer(access_token))
        if answer.status != 200:
            raise SignInFailedError(
                "no_userinfo",
                "The identity provider does not say who you are. Please try again.",
                detail=f"status {answer.status}",
            )
        claims = answer.document
        if not isinstance(claims, dict) or claims.get("sub") != payload["sub"]:
            raise SignInFailedError(
                "other_subject", "The identity provider spoke of two different people."
            )
        return claims


def _check_issuer(request: HttpRequest, provider: Provider) -> None:
    """RFC 9207: who answers says its name, and must where it promised to."""
    document = metadata(provider)
    promised = document.get("authorization_response_iss_parameter_supported") is True
    answered = request.GET.get("iss", "" if promised else document["issuer"])
    if answered != document["issuer"]:
        raise SignInFailedError(
            "other_issuer", "Another identity provider answered.", detail=f"iss is {answered!r}"
        )


def _basic(name: str, secret: str) -> HTTPBasicAuth:
    """RFC 6749, 2.3.1: both are encoded as in a form first."""
    return HTTPBasicAuth(quote_plus(name), quote_plus(secret))


def _bearer(token: str) -> dict[str, bytes]:
    # As bytes: a token is what the provider made it, and a header's text is Latin-1 only.
    return {"Authorization": f"Bearer {token}".encode(errors="replace")}


def _has_texts(document: object, *names: str) -> bool:
    return isinstance(document, dict) and all(isinstance(document.get(n), str) for n in names)
