"""The identity providers that the settings name."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import Http404


@dataclass(frozen=True)
class Provider:
    """An identity provider, how this site is registered there, and which claims say what."""

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret: str
    scopes: str = "openid profile email"
    subject_claim: str = "sub"
    kind: str = "oidc"
    affiliation_claims: tuple[str, ...] = (
        "eduperson_scoped_affiliation", "voperson_external_affiliation",
    )  # fmt: skip
    entitlement_claims: tuple[str, ...] = ("eduperson_entitlement", "entitlements")
    groups_claim: str = "groups"
    uid_claim: str = ""
    api_url: str = ""  # of GitHub
    registration: str = ""  # the policy for newcomers; empty: that of the installation


def providers() -> list[Provider]:
    """The configured providers, in the order of the settings."""
    return [Provider(**entry) for entry in settings.IDENTITY_PROVIDERS]


def provider_or_404(name: str) -> Provider:
    """The provider with that name."""
    for provider in providers():
        if provider.name == name:
            return provider
    raise Http404("No such identity provider.")
