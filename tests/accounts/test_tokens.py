"""Personal tokens and those of services."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import ApiToken
from accounts.tokens import digest, issue_token
from lsp_portal.lib import clock
from tests import factories
from tests.cast import Cast

pytestmark = pytest.mark.django_db
PAGE = "/account/tokens/"


def make(client: Client, **values: Any) -> str:
    answer = client.post(PAGE, {"name": "backup", "scopes": ["read"], "days": 90, **values})
    return answer.content.decode()


def shown(page: str) -> list[str]:
    return re.findall(r">\s*(lspt_[\w-]{43})\s*<", page)


def test_a_new_token_is_shown_once_and_opens_the_api(cast: Cast, client: Client) -> None:
    client.force_login(cast.bob)
    page = make(client)
    (text,) = shown(page)
    assert f'data-copy="{text}"' in page
    token = ApiToken.objects.get()
    assert bytes(token.digest) == digest(text)
    assert token.hint == text[:10]
    assert token.expires_at is not None
    assert timedelta(days=89) < token.expires_at - clock.now() <= timedelta(days=90)
    assert shown(client.get(PAGE).content.decode()) == []
    assert "no-store" in client.get(PAGE)["Cache-Control"]
    asked = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {text}"})
    assert asked.json()["user"]["username"] == "bob"


def test_a_revoked_token_opens_nothing(cast: Cast, client: Client) -> None:
    client.force_login(cast.bob)
    (text,) = shown(make(client))
    token = ApiToken.objects.get()
    page = client.get(PAGE).content.decode()
    assert f'action="/account/tokens/{token.pk}/revoke"' in page
    assert "data-confirm" in page
    assert client.get(f"{PAGE}{token.pk}/revoke").status_code == 405
    answer = client.post(f"{PAGE}{token.pk}/revoke", follow=True)
    assert "is revoked" in answer.content.decode()
    asked = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {text}"})
    assert asked.status_code == 401
    assert "revoked" in asked.json()["detail"]


def test_nobody_sees_or_revokes_the_tokens_of_others(cast: Cast, client: Client) -> None:
    client.force_login(cast.bob)
    make(client)
    token = ApiToken.objects.get()
    for other in (cast.alice, cast.dora):
        client.force_login(other)
        assert "No tokens yet" in client.get(PAGE).content.decode()
        assert client.post(f"{PAGE}{token.pk}/revoke").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": 366},
        {"days": 0},
        {"days": "soon"},
        {"name": ""},
        {"name": "x" * 61},
        {"name": "a\0b"},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["posix"]},
    ],
)
def test_a_wrong_wish_makes_no_token(cast: Cast, client: Client, wrong: dict[str, Any]) -> None:
    client.force_login(cast.bob)
    answer = client.post(PAGE, {"name": "backup", "scopes": ["read"], "days": 90, **wrong})
    assert answer.status_code == 400
    assert "invalid-feedback" in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_administrators_can_let_a_file_server_read_the_tables(cast: Cast, client: Client) -> None:
    client.force_login(cast.dora)
    assert shown(make(client, scopes=["posix"]))


def test_the_list_pages_with_a_constant_number_of_queries(
    cast: Cast, client: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        issue_token(
            name="t", user=cast.bob, scopes=["read"], created_by=cast.bob,
            expires_at=clock.now(), at=clock.now(),
        )  # fmt: skip
    client.force_login(cast.bob)
    with django_assert_max_num_queries(6):
        page = client.get(PAGE).content.decode()
    assert page.count("expired</span>") == 25
    assert "Page 1 of 2" in page


def test_an_administrator_makes_a_service_token_in_the_admin(cast: Cast, client: Client) -> None:
    client.force_login(cast.dora)
    answer = client.post(
        "/admin/accounts/apitoken/add/", {"name": "sync", "scopes": ["read", "write"], "days": 30}
    )
    (text,) = shown(answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    token = ApiToken.objects.get()
    assert (token.user, token.created_by, token.scopes) == (None, cast.dora, ["read", "write"])
    assert text not in client.get(f"/admin/accounts/apitoken/{token.pk}/change/").content.decode()
    client.post(
        "/admin/accounts/apitoken/",
        {"action": "revoke", "_selected_action": [token.pk]},
    )
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_the_command_makes_a_service_token(cast: Cast) -> None:
    out = io.StringIO()
    call_command("create_service_token", "sync", scopes=["posix"], days=7, stdout=out)
    text = out.getvalue().split()[-1]
    token = ApiToken.objects.get()
    assert bytes(token.digest) == digest(text)
    assert (token.user, token.scopes) == (None, ["posix"])


@pytest.mark.parametrize("wrong", [{"days": 0}, {"days": 366}, {"name": " "}, {"name": "x" * 61}])
def test_the_command_says_what_is_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="must"):
        call_command("create_service_token", wrong.pop("name", "sync"), **wrong)
    assert not ApiToken.objects.exists()


def test_who_waits_for_approval_makes_no_token(client: Client) -> None:
    client.force_login(factories.user("erin", registered_at=None))
    assert client.get(PAGE)["Location"] == "/waiting"
    assert client.post(PAGE, {"name": "x", "scopes": ["read"], "days": 1})["Location"] == "/waiting"
    assert not ApiToken.objects.exists()
