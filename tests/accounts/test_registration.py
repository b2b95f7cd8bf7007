"""Newcomers: their names, and what providers may say about them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.identity.failures import SignInFailedError
from accounts.identity.providers import Provider
from accounts.models import Group, Identity, User
from accounts.registration import free_name, sign_in_identity, slug

AT = datetime(2026, 5, 1, 8, tzinfo=UTC)
ISSUER = "https://login.example"
PROVIDER = Provider("oidc", "the test", ISSUER, "portal", "secret")


def arrive(subject: object, **claims: object) -> User:
    return sign_in_identity(provider=PROVIDER, issuer=ISSUER, subject=subject, claims=claims, at=AT)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("bob", "bob"),
        ("Bob", "bob"),
        ("Zoë O'Hara", "zoe-o-hara"),
        ("42nd.user", "nd-user"),
        ("--bob--", "bob"),
        ("x" * 40, "x" * 30),
        ("a" * 29 + "-b", "a" * 29),
        ("星空", ""),
        ("1234", ""),
        ("", ""),
    ],
)
def test_a_name_is_made_of_what_a_provider_says(text: str, name: str) -> None:
    assert slug(text) == name


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "bob", "email": "x@y.example"}, "bob"),
        ({"preferred_username": "bob@demo.example"}, "bob"),
        ({"preferred_username": "星空", "email": "hoshi@demo.example"}, "hoshi"),
        ({"name": "Bob Brandt"}, "bob-brandt"),
        ({"preferred_username": 5, "email": None}, "user-2"),
        ({"preferred_username": "root"}, "root-2"),
        ({}, "user-2"),
    ],
)
def test_the_first_claim_that_makes_a_name_is_taken(claims: dict[str, object], name: str) -> None:
    assert free_name(claims) == name


@pytest.mark.django_db
def test_taken_names_get_a_number_whoever_has_or_had_them() -> None:
    Group.objects.create(name="galaxies", title="Galaxies")
    assert arrive("1", preferred_username="galaxies").username == "galaxies-2"
    arrive("2", preferred_username="bob")
    User.objects.filter(username="bob").update(is_active=False)
    assert arrive("3", preferred_username="bob").username == "bob-2"
    assert arrive("4", preferred_username="bob").username == "bob-3"


@pytest.mark.django_db
def test_a_long_name_is_cut_to_make_room_for_the_number() -> None:
    names = [arrive(str(n), preferred_username="a" * 40).username for n in range(11)]
    assert names[1] == "a" * 28 + "-2"
    assert names[10] == "a" * 27 + "-11"


@pytest.mark.django_db
@pytest.mark.parametrize("subject", [None, "", 5, "x" * 256, "a\0b", "\ud800", ["bob"]])
def test_an_answer_that_names_nobody_is_refused(subject: object) -> None:
    with pytest.raises(SignInFailedError):
        arrive(subject)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_strange_claims_are_kept_as_far_as_the_database_can() -> None:
    user = arrive(
        "bob", name="a\0b" + "c" * 400, email="no address", groups=[{"x\0": "\ud800y"}],
        number=float("inf"),
    )  # fmt: skip
    identity = Identity.objects.get()
    assert identity.claims["groups"] == [{"x": "y"}]
    assert identity.claims["number"] is None
    assert (user.email, len(user.first_name)) == ("", 150)


@pytest.mark.django_db(transaction=True)
def test_people_who_come_at_once_with_one_name_all_get_one() -> None:
    def come(subject: str) -> None:
        arrive(subject, preferred_username="bob")
        connection.close()

    threads = [threading.Thread(target=come, args=[str(n // 2)]) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Identity.objects.count() == 6
    names = set(User.objects.values_list("username", flat=True))
    assert names == {"bob", *(f"bob-{n}" for n in range(2, 7))}


@pytest.mark.django_db
def test_an_administrator_links_an_identity_to_a_person() -> None:
    bob = User.objects.create(username="bob", registered_at=AT)
    for _ in range(2):
        call_command("link_identity", "bob", ISSUER, "sub-of-bob")
    assert arrive("sub-of-bob") == bob
    User.objects.create(username="charlie")
    with pytest.raises(CommandError, match="already belongs to bob"):
        call_command("link_identity", "charlie", ISSUER, "sub-of-bob")
    with pytest.raises(CommandError, match="no person nobody-else"):
        call_command("link_identity", "nobody-else", ISSUER, "x")
