"""The record of attempts to sign in, in the administration."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from accounts.models import SignIn, User

pytestmark = pytest.mark.django_db
PAGE = "/admin/accounts/signin/"


@pytest.fixture
def admin(client: Client, dora: User) -> Client:
    client.force_login(dora)
    return client


def attempts(bob: User) -> None:
    day = datetime(2026, 5, 1, 8, tzinfo=UTC)
    SignIn.objects.create(provider="egi", outcome="ok", user=bob, at=day)
    SignIn.objects.create(
        provider="github", outcome="bad_token", detail="expired", remote_ip="192.0.2.1"
    )


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("", ["bad_token", "192.0.2.1", "egi"], []),
        ("result=failed", ["bad_token"], ["egi"]),
        ("result=ok", ["egi"], ["bad_token"]),
        ("q=bob", ["egi"], ["bad_token"]),
        ("q=2026-05-01", ["egi"], ["bad_token"]),
        ("q=9999-12-31", [], ["egi", "bad_token"]),
        ("q=nobody", [], ["egi", "bad_token"]),
        ("provider=invented", ["bad_token", "egi"], []),
    ],
)
def test_attempts_are_found(
    admin: Client, bob: User, query: str, shown: list[str], hidden: list[str]
) -> None:
    attempts(bob)
    page = admin.get(f"{PAGE}?{query}").content.decode()
    table = page.partition('id="changelist"')[2].partition('id="changelist-filter"')[0]
    assert all(f">{word}<" in table for word in shown)
    assert not any(f">{word}<" in table for word in hidden)


def test_the_provider_filter_comes_from_the_settings(
    admin: Client, bob: User, settings: Any
) -> None:
    entry = {"name": "egi", "title": "EGI", "issuer": "https://x.example"}
    settings.IDENTITY_PROVIDERS = [entry | {"client_id": "x", "client_secret": "x"}]
    attempts(bob)
    page = admin.get(f"{PAGE}?provider=egi").content.decode()
    assert "bad_token" not in page


def test_nobody_edits_the_record(admin: Client, bob: User) -> None:
    attempts(bob)
    row = SignIn.objects.earliest("pk")
    assert admin.get(f"{PAGE}add/").status_code == 403
    assert admin.post(f"{PAGE}{row.pk}/delete/").status_code == 403
    page = admin.get(f"{PAGE}{row.pk}/change/").content.decode()
    assert 'name="_save"' not in page


def test_the_number_of_queries_does_not_grow_with_the_attempts(
    admin: Client, bob: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        attempts(bob)
    with django_assert_max_num_queries(6):
        admin.get(PAGE)


def test_the_page_of_a_person_leads_to_the_attempts(admin: Client, bob: User) -> None:
    page = admin.get(f"/admin/accounts/user/{bob.pk}/change/").content.decode()
    assert f"{PAGE}?q=bob" in page
