"""What each kind of provider can do; all of them are used through these two functions."""

from __future__ import annotations

from typing import Protocol

from django.http import HttpRequest

from accounts.identity import github, oidc
from accounts.identity.assertions import Assertion
from accounts.identity.flows import Flow
from accounts.identity.providers import Provider


class Kind(Protocol):
    def way_there(self, request: HttpRequest, provider: Provider, *, again: bool) -> str:
        """The provider's address for the person; its secrets are noted in the session."""

    def proved(self, request: HttpRequest, provider: Provider, flow: Flow) -> Assertion:
        """Whom the provider vouches for. Raises SignInFailedError."""


def kind_of(provider: Provider) -> Kind:
    """All kinds but GitHub speak OpenID Connect; their presets say how."""
    return github if provider.kind == "github" else oidc
