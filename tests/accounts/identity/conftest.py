"""Providers that lie, and the way to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.http import HttpResponseBase
from django.test import Client
from pytest_django import Settings

from accounts.identity import web
from tests.accounts.identity.hostile import HostileProvider
from tests.accounts.identity.site import Site, serving


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site that the portal gives little time."""
    cache.clear()
    monkeypatch.setattr(web, "TIMEOUT", (1, 0.4))
    monkeypatch.setattr(web, "TOTAL", 0.6)
    with serving() as found:
        yield found


@pytest.fixture
def hostile(site: Site, settings: Settings) -> HostileProvider:
    """The only provider of the portal."""
    provider = HostileProvider(site)
    settings.IDENTITY_PROVIDERS = [provider.entry()]
    return provider


class Visitor:
    """Somebody with a browser who goes to a provider and comes back."""

    def __init__(self, client: Client, hostile: HostileProvider) -> None:
        self.client = client
        self.hostile = hostile

    def set_out(self, next_page: str = "/account/", name: str = "hostile") -> str:
        """The provider's address, to which the portal sends the visitor."""
        return str(self.client.get(f"/sign-in/{name}", {"next": next_page})["Location"])

    def come_back(self, query: str, name: str = "hostile") -> HttpResponseBase:
        answer: HttpResponseBase = self.client.get(f"/sign-in/{name}/callback?{query}")
        return answer

    def walk(self, next_page: str = "/account/", **changes: str) -> HttpResponseBase:
        """The whole way, as far as the provider lets the visitor come."""
        there = self.client.get("/sign-in/hostile", {"next": next_page})
        if there.status_code != 302:
            return there
        return self.come_back(self.hostile.answer(there["Location"], **changes))

    @property
    def is_signed_in(self) -> bool:
        return "_auth_user_id" in self.client.session


@pytest.fixture
def visitor(client: Client, hostile: HostileProvider) -> Visitor:
    return Visitor(client, hostile)
