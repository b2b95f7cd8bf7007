"""Attacks on the way in: each is refused with a page, a record, and nobody signed in."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import SignIn, User
from lsp_portal.lib import clock
from tests import factories
from tests.accounts.identity.attacks import ATTACKS, KEYS, Attack
from tests.accounts.identity.conftest import Visitor

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_refused(attack: Attack, visitor: Visitor) -> None:
    answer = attack.act(visitor)
    assert answer.status_code == attack.status
    assert "You were not signed in" in getattr(answer, "content", b"").decode()
    assert not visitor.is_signed_in
    last = SignIn.objects.latest("pk")
    assert last.outcome == attack.code
    assert last.provider in ("hostile", "other")
    assert last.detail.isprintable()
    assert str(last.remote_ip) == "127.0.0.1"


def test_the_same_way_without_a_lie_leads_in(visitor: Visitor) -> None:
    answer = visitor.walk()
    assert (answer.status_code, answer["Location"]) == (302, "/account/")
    assert visitor.is_signed_in
    last = SignIn.objects.latest("pk")
    assert (last.outcome, last.user) == ("ok", User.objects.get(username="user-2"))
    assert last.user is not None
    assert last.user.identities.get().provider == "hostile"


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example",
        "javascript:alert(1)", "https:evil.example", "///evil.example", "http:///evil.example",
        " https://evil.example", "/\t/evil.example", "https://testserver@evil.example/",
        "https://testserver.evil.example/", "\x00//evil.example",
    ],
)  # fmt: skip
def test_next_leads_to_no_other_site(visitor: Visitor, path: str) -> None:
    assert visitor.walk(next_page=path)["Location"] == "/"


def test_a_session_that_somebody_else_knows_is_worth_nothing(visitor: Visitor) -> None:
    visitor.set_out()
    planted = visitor.client.session.session_key
    visitor.walk()
    first = visitor.client.session.session_key
    assert first != planted
    visitor.walk()
    assert visitor.client.session.session_key not in (planted, first)
    thief = Client()
    thief.cookies["lsp_portal_session"] = planted or ""
    assert thief.get("/account/").status_code == 302


def test_two_people_with_one_address_are_two_people(visitor: Visitor) -> None:
    bob = factories.user("bob", email="bob@demo.example")
    visitor.hostile.userinfo = {"sub": "bob", "email": "BOB@demo.example", "email_verified": True}
    visitor.walk()
    assert visitor.client.session["_auth_user_id"] != str(bob.pk)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("Zoë O'Hara", "zoe-o-hara"),
        ("x user=victim", "x-user-victim"),
        ("x" * 300, "x" * 30),
        ("root", "root-2"),
        ("../../etc/passwd", "etc-passwd"),
        ("<script>alert(1)</script>", "script-alert-1-script"),
        ("bob\r\nSet-Cookie: x=y", "bob-set-cookie-x-y"),
        ("b\0b", "bb"),
        ("\u202egnp.bob", "gnp-bob"),
        ("\ud800", "user-2"),
        ("星空", "user-2"),
        (["bob"], "user-2"),
    ],
)
def test_hostile_names_become_harmless_ones(visitor: Visitor, told: Any, name: str) -> None:
    visitor.hostile.userinfo = {"sub": "bob", "preferred_username": told, "name": told}
    visitor.walk()
    assert User.objects.get().username == name
    page = visitor.client.get("/account/")
    assert page.status_code == 200
    assert "<script>alert" not in page.content.decode()


def test_who_ends_while_signed_in_is_signed_out_at_the_next_request(visitor: Visitor) -> None:
    visitor.walk()
    User.objects.update(expires_at=clock.now())
    assert visitor.client.get("/account/")["Location"] == "/sign-in?next=/account/"


@pytest.mark.parametrize("change", ["is_active", "expires_at"])
def test_so_is_who_came_with_a_password(client: Client, change: str, db: None) -> None:
    User.objects.create_superuser("first", password="a long one")
    form = {"username": "first", "password": "a long one"}
    assert client.post("/admin/login/?password&next=/admin/", form).status_code == 302
    assert client.get("/account/").status_code == 200
    User.objects.update(**{change: False if change == "is_active" else clock.now()})
    assert client.get("/account/").status_code == 302
    assert client.post("/admin/login/?password&next=/admin/", form).status_code == 200


def test_keys_are_fetched_once_more_for_an_unknown_one_and_not_again_and_again(
    visitor: Visitor,
) -> None:
    visitor.walk()
    provider = visitor.hostile
    provider.sign = lambda claims: provider.signed(claims, kid="invented")
    for _ in range(3):
        assert visitor.walk().status_code == 400
    assert [asked.path for asked in provider.site.asked].count(KEYS) == 2
