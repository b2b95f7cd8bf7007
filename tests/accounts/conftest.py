"""People and identity providers for the tests of signing in."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.core.cache import cache
from django.http import HttpResponseBase
from django.test import Client
from pytest_django import Settings

CALLBACK = "/sign-in/oidc/callback"
PROVIDER_GROWS_OLD = [  # authlib deprecates what the provider in the thread is made of
    pytest.mark.filterwarnings("ignore::DeprecationWarning:authlib.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:oidc_provider_mock.*"),
]


@dataclass
class IdentityProvider:
    """A real OpenID provider in a thread, where everybody may be anybody."""

    issuer: str

    def tell(self, sub: str, **claims: object) -> None:
        """What the provider says about somebody from now on."""
        requests.put(f"{self.issuer}/users/{sub}", json=claims, timeout=5).raise_for_status()

    def sign_in(self, address: str, **answer: str) -> str:
        """The address to which the provider sends back who answers its page."""
        reply = requests.post(address, data=answer, allow_redirects=False, timeout=5)
        return reply.headers["Location"]


@pytest.fixture(scope="session")
def provider_server() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as environment, warnings.catch_warnings(action="ignore"):
        environment.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
        from oidc_provider_mock import run_server_in_thread

        with run_server_in_thread(require_nonce=True) as server:
            yield f"http://localhost:{server.server_port}"


@pytest.fixture
def identity_provider(provider_server: str, settings: Settings) -> IdentityProvider:
    """The provider of the site."""
    cache.clear()
    settings.IDENTITY_PROVIDERS = [
        {
            "name": "oidc",
            "title": "the test",
            "issuer": provider_server,
            "client_id": "portal",
            "client_secret": "secret",
        }
    ]
    return IdentityProvider(provider_server)


SignIn = Callable[..., Any]


@pytest.fixture
def sign_in(client: Client, identity_provider: IdentityProvider) -> SignIn:
    """Sign in as a browser does it; the answer is that to the last step at the portal."""

    def walk(sub: str, path: str = "/sign-in/oidc") -> HttpResponseBase:
        there = client.get(path)
        back = urlsplit(identity_provider.sign_in(there["Location"], sub=sub))
        answer: HttpResponseBase = client.get(f"{back.path}?{back.query}")
        return answer

    return walk
