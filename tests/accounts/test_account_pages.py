"""The pages about one's own account."""

from __future__ import annotations

import re

from django.test import Client

from accounts.models import User
from tests import factories


def test_bob_sees_who_he_is_and_his_groups(client: Client, bob: User) -> None:
    client.force_login(bob)
    page = client.get("/account/").content.decode()
    assert all(text in page for text in ("Bob Example", str(bob.uid), "bob@example.org"))
    assert all(text in page for text in ("Transients", "Galaxies"))
    assert re.search(r'<a class="who"\s+href="/account/">', page)


def test_who_waits_for_approval_sees_the_account_too(client: Client, db: None) -> None:
    client.force_login(factories.user("erin", registered_at=None))
    page = client.get("/account/").content.decode()
    assert "not yet" in page
    assert "No groups yet" in page


def test_strangers_are_asked_to_sign_in(client: Client) -> None:
    for path in ("/account/", "/account/identities/"):
        assert client.get(path)["Location"] == f"/sign-in?next={path}"


def test_the_number_of_queries_does_not_grow_with_the_groups(
    client: Client, bob: User, django_assert_max_num_queries: object
) -> None:
    for _ in range(20):
        factories.membership(bob, factories.group())
    client.force_login(bob)
    with django_assert_max_num_queries(6):  # type: ignore[operator]
        client.get("/account/")
