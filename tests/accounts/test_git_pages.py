"""People decide whether git in their notebooks knows who they are."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from tests import factories

PAGE = "/account/git/"


@pytest.fixture
def bob(db: None, client: Client) -> User:
    """Bob, signed in; his name is one that HTML has to escape."""
    bob = factories.user("bob", last_name="O'<b>")
    client.force_login(bob)
    return bob


def test_the_page_says_what_git_would_be_told(client: Client, bob: User) -> None:
    page = client.get(PAGE).content.decode()
    assert "Bob O&#x27;&lt;b&gt;" in page
    assert "bob@example.org" in page
    assert "checked" in page


def test_it_is_switched_off_and_on_again(client: Client, bob: User) -> None:
    assert client.post(PAGE, {})["Location"] == PAGE
    bob.refresh_from_db()
    assert not bob.shares_git_identity
    assert "checked" not in client.get(PAGE).content.decode()
    client.post(PAGE, {"shares": "on"})
    bob.refresh_from_db()
    assert bob.shares_git_identity


@pytest.mark.parametrize("method", ["put", "delete"])
def test_other_methods_are_not_for_it(client: Client, bob: User, method: str) -> None:
    assert getattr(client, method)(PAGE).status_code == 405


def test_who_is_not_signed_in_or_waits_does_not_reach_it(client: Client, db: None) -> None:
    assert client.get(PAGE)["Location"].startswith("/sign-in?next=")
    client.force_login(factories.user(registered_at=None))
    assert client.get(PAGE)["Location"] == "/waiting"


def test_the_form_needs_its_token(bob: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(bob)
    assert strict.post(PAGE, {}).status_code == 403
