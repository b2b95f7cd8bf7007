"""Which provider comes first, and what the sign-in and landing pages offer."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.identity.choice import COOKIE
from tests.accounts.identity.conftest import Visitor

pytestmark = pytest.mark.django_db


def entry(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": name.title(),
        "issuer": f"https://{name}.example",
        "client_id": "portal",
        "client_secret": "secret",
    }


def order(page: str, *titles: str) -> list[str]:
    return sorted(titles, key=page.index)


@pytest.mark.parametrize("path", ["/", "/sign-in"])
def test_the_last_one_used_comes_first(visitor: Visitor, settings: Settings, path: str) -> None:
    settings.IDENTITY_PROVIDERS = [entry("first"), visitor.hostile.entry()]
    titles = ("Sign in with First", "Sign in with the hostile one")
    before = visitor.client.get(path).content.decode()
    assert order(before, *titles) == list(titles)
    assert "last used" not in before
    visitor.walk()
    visitor.client.post("/sign-out")
    after = visitor.client.get(path).content.decode()
    assert order(after, *titles) == list(reversed(titles))
    assert after.count("last used") == 1


def test_the_cookie_is_signed_and_kept_from_scripts(visitor: Visitor) -> None:
    visitor.walk()
    cookie = visitor.client.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert int(cookie["max-age"]) > 10_000_000


@pytest.mark.parametrize("value", ["hostile", "hostile:forged", "", "\u00e9"])
def test_a_forged_cookie_says_nothing(client: Client, settings: Settings, value: str) -> None:
    settings.IDENTITY_PROVIDERS = [entry("first"), entry("hostile")]
    client.cookies[COOKIE] = value
    page = client.get("/sign-in")
    assert page.status_code == 200
    assert "last used" not in page.content.decode()


def test_with_one_provider_the_home_page_has_one_button(client: Client, settings: Settings) -> None:
    settings.IDENTITY_PROVIDERS = [entry("first")]
    page = client.get("/").content.decode()
    assert "Sign in with First" not in page
    assert "/sign-in?next=" in page
