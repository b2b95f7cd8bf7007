"""Which providers a visitor can choose from; the one used last comes first."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from accounts.identity.providers import Provider, providers

COOKIE = "lsp_portal_provider"
COOKIE_AGE = 365 * 86_400


@dataclass(frozen=True)
class Way:
    """A provider as a visitor sees it."""

    title: str
    address: str
    is_last: bool


def ways(request: HttpRequest, path: str, **parameters: str) -> list[Way]:
    """The ways to sign in and to come to `path`; nothing is marked where nothing can be chosen."""
    last = request.get_signed_cookie(COOKIE, default="", salt=COOKIE)
    found = providers()
    query = urlencode({"next": path, **parameters})
    chosen = [Way(p.title, _address(p, query), p.name == last) for p in found]
    return (
        sorted(chosen, key=lambda way: not way.is_last)
        if len(found) > 1
        else [Way(way.title, way.address, False) for way in chosen]
    )


def remember(answer: HttpResponseBase, provider: Provider) -> None:
    """Let the browser remember which provider it used."""
    answer.set_signed_cookie(
        COOKIE,
        provider.name,
        salt=COOKIE,
        max_age=COOKIE_AGE,
        httponly=True,
        samesite="Lax",
        secure=settings.HTTPS,
    )


def _address(provider: Provider, query: str) -> str:
    return f"{reverse('sign_in_with', args=[provider.name])}?{query}"
