"""On whose behalf a change is, and from where."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from accounts.audit import ActingMiddleware
from lsp_portal.lib.acting import acting

FORWARDED = {"HTTP_X_FORWARDED_FOR": "192.0.2.66, 198.51.100.7", "REMOTE_ADDR": "10.0.0.1"}


def seen_address(**meta: Any) -> str | None:
    found = []

    def view(request: HttpRequest) -> HttpResponse:
        found.append(acting().address)
        return HttpResponse()

    ActingMiddleware(view)(RequestFactory(**meta).get("/"))
    return found[0]


def test_without_a_proxy_nobody_says_where_they_come_from() -> None:
    assert seen_address(**FORWARDED) == "10.0.0.1"


@pytest.mark.parametrize(
    ("header", "address"),
    [("192.0.2.66, 198.51.100.7", "198.51.100.7"), ("2001:db8::1", "2001:db8::1"), ("?", None)],
)
def test_behind_a_proxy_the_address_that_it_saw_counts(
    settings: Settings, header: str, address: str | None
) -> None:
    settings.BEHIND_PROXY = True
    assert seen_address(**{**FORWARDED, "HTTP_X_FORWARDED_FOR": header}) == address
