"""Signing in with an identity provider, as a person sees it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Identity, User
from accounts.registration import link_identity
from lsp_portal.lib import clock
from tests.accounts.conftest import CALLBACK, PROVIDER_GROWS_OLD, IdentityProvider, SignIn

pytestmark = [pytest.mark.django_db, *PROVIDER_GROWS_OLD]


def make_user(name: str, **fields: object) -> User:
    return User.objects.create(username=name, registered_at=clock.now(), **fields)


def known(user: User, identity_provider: IdentityProvider) -> User:
    link_identity(user, issuer=identity_provider.issuer, subject=user.username, at=clock.now())
    return user


def test_bob_signs_in_and_lands_where_he_wanted_to_go(
    client: Client, identity_provider: IdentityProvider, sign_in: SignIn
) -> None:
    bob = known(make_user("bob"), identity_provider)
    answer = sign_in("bob", "/sign-in/oidc?next=/waiting")
    assert (answer.status_code, answer["Location"]) == (302, "/waiting")
    assert client.session["_auth_user_id"] == str(bob.pk)


def test_with_one_provider_there_is_nothing_to_choose(
    client: Client, identity_provider: IdentityProvider
) -> None:
    answer = client.get("/sign-in?next=/waiting")
    assert answer["Location"] == "/sign-in/oidc?next=%2Fwaiting"


def test_with_several_providers_people_choose(
    client: Client, identity_provider: IdentityProvider, settings: Settings
) -> None:
    [first] = settings.IDENTITY_PROVIDERS
    settings.IDENTITY_PROVIDERS = [first, first | {"name": "other", "title": "another one"}]
    page = client.get("/sign-in").content.decode()
    assert "Sign in with the test" in page
    assert "Sign in with another one" in page


def test_without_a_provider_the_page_says_so(client: Client, settings: Settings) -> None:
    settings.IDENTITY_PROVIDERS = []
    assert "no identity provider" in client.get("/sign-in").content.decode()


def test_the_way_there_carries_state_nonce_and_a_pkce_challenge(
    client: Client, identity_provider: IdentityProvider
) -> None:
    query = parse_qs(urlsplit(client.get("/sign-in/oidc")["Location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    assert query["state"][0] != query["nonce"][0]
    assert query["redirect_uri"] == [f"http://testserver{CALLBACK}"]


def test_a_newcomer_gets_a_name_and_waits_for_approval(
    client: Client, identity_provider: IdentityProvider, sign_in: SignIn
) -> None:
    identity_provider.tell("7f3a", preferred_username="Zoë.O'Hara", name="Zoë O'Hara")
    sign_in("7f3a")
    zoe = User.objects.get(username="zoe-o-hara")
    assert (zoe.first_name, zoe.last_name) == ("Zoë", "O'Hara")
    assert not zoe.is_registered
    assert not zoe.has_usable_password()
    assert "zoe-o-hara" in client.get("/waiting").content.decode()


def test_the_approved_leave_the_waiting_page(
    client: Client, identity_provider: IdentityProvider, sign_in: SignIn
) -> None:
    sign_in("erin")
    User.objects.filter(username="erin").update(registered_at=clock.now())
    assert client.get("/waiting")["Location"] == "/"


def test_an_identity_is_recognised_and_remembers_what_was_said_last(
    identity_provider: IdentityProvider, sign_in: SignIn
) -> None:
    sign_in("erin")
    identity_provider.tell("erin", email="erin@new.example")
    sign_in("erin")
    identity = Identity.objects.get(subject="erin")
    assert identity.email == "erin@new.example"
    assert "nonce" not in identity.claims
    assert User.objects.count() == 1


def test_the_same_address_of_mail_makes_nobody_another_person(
    identity_provider: IdentityProvider, sign_in: SignIn
) -> None:
    bob = known(make_user("bob", email="bob@demo.example"), identity_provider)
    identity_provider.tell("mallory", email="bob@demo.example", preferred_username="bob")
    sign_in("mallory")
    mallory = Identity.objects.get(subject="mallory").user
    assert mallory != bob
    assert mallory.username == "bob-2"


def test_who_was_switched_off_is_told_so(
    client: Client, identity_provider: IdentityProvider, sign_in: SignIn
) -> None:
    known(make_user("bob", is_active=False), identity_provider)
    answer = sign_in("bob")
    assert answer.status_code == 403
    assert "switched off" in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_who_is_switched_off_is_signed_out_at_the_next_request(
    client: Client, identity_provider: IdentityProvider, sign_in: SignIn
) -> None:
    bob = known(make_user("bob"), identity_provider)
    sign_in("bob")
    bob.is_active = False
    bob.save(update_fields=["is_active"])
    assert client.get("/waiting")["Location"] == "/sign-in?next=/waiting"


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_nobody_is_sent_to_another_site(
    identity_provider: IdentityProvider, sign_in: SignIn, path: str
) -> None:
    assert sign_in("bob", f"/sign-in/oidc?next={path}")["Location"] == "/"


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(
    client: Client, identity_provider: IdentityProvider
) -> None:
    there = client.get("/sign-in/oidc")["Location"]
    back = urlsplit(identity_provider.sign_in(there, sub="bob"))
    answer = Client().get(f"{back.path}?{back.query}")
    assert answer.status_code == 400
    assert "not begun in this browser" in answer.content.decode()


def test_an_answer_serves_once(client: Client, identity_provider: IdentityProvider) -> None:
    there = client.get("/sign-in/oidc")["Location"]
    back = urlsplit(identity_provider.sign_in(there, sub="bob"))
    assert client.get(f"{back.path}?{back.query}").status_code == 302
    assert client.get(f"{back.path}?{back.query}").status_code == 400


def test_who_cancels_at_the_provider_is_not_signed_out_by_it(
    client: Client, identity_provider: IdentityProvider, sign_in: SignIn
) -> None:
    sign_in("bob")
    assert client.get(f"{CALLBACK}?error=access_denied").status_code == 400
    assert "_auth_user_id" in client.session


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x", "?code=x&state=x", "?state=%00"])
def test_a_broken_answer_is_a_clear_page(
    client: Client, identity_provider: IdentityProvider, query: str
) -> None:
    client.get("/sign-in/oidc")
    assert client.get(CALLBACK + query).status_code == 400


def test_a_code_that_the_provider_does_not_know_is_a_clear_page(
    client: Client, identity_provider: IdentityProvider
) -> None:
    there = client.get("/sign-in/oidc")["Location"]
    state = parse_qs(urlsplit(there).query)["state"][0]
    answer = client.get(CALLBACK, {"code": "invented", "state": state})
    assert answer.status_code == 400
    assert "did not confirm" in answer.content.decode()


def test_another_issuer_in_the_answer_is_refused(
    client: Client, identity_provider: IdentityProvider
) -> None:
    there = client.get("/sign-in/oidc")["Location"]
    back = urlsplit(identity_provider.sign_in(there, sub="bob"))
    answer = client.get(f"{back.path}?{back.query}&iss=https://evil.example")
    assert answer.status_code == 400


def test_a_provider_that_does_not_answer_is_a_clear_page(
    client: Client, identity_provider: IdentityProvider, settings: Settings
) -> None:
    [entry] = settings.IDENTITY_PROVIDERS
    settings.IDENTITY_PROVIDERS = [entry | {"issuer": "http://127.0.0.1:9"}]
    answer = client.get("/sign-in/oidc")
    assert answer.status_code == 400
    assert "does not answer" in answer.content.decode()


def test_an_unknown_provider_is_not_found(client: Client) -> None:
    assert client.get("/sign-in/nowhere").status_code == 404
    assert client.get("/sign-in/nowhere/callback").status_code == 404


def test_signing_out_ends_the_login(
    client: Client, identity_provider: IdentityProvider, sign_in: SignIn
) -> None:
    sign_in("bob")
    assert client.get("/sign-out").status_code == 405
    assert "signed out" in client.post("/sign-out", follow=True).content.decode()
    assert "_auth_user_id" not in client.session


def test_administrators_sign_in_as_everybody_does(
    client: Client, identity_provider: IdentityProvider, sign_in: SignIn
) -> None:
    known(make_user("dora", is_staff=True, is_superuser=True), identity_provider)
    first = client.get("/admin/accounts/user/")
    second = client.get(first["Location"])
    assert second["Location"] == "/sign-in?next=%2Fadmin%2Faccounts%2Fuser%2F"
    assert sign_in("dora", "/sign-in/oidc?next=/admin/")["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_accounts_with_a_password_keep_a_form(
    client: Client, identity_provider: IdentityProvider
) -> None:
    User.objects.create_superuser("root-of-it", password="a long one")
    assert "password" in client.get("/admin/login/?password").content.decode()
    form = {"username": "root-of-it", "password": "a long one"}
    answer = client.post("/admin/login/?password&next=/admin/", form)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_who_is_no_administrator_is_told_so(
    client: Client, identity_provider: IdentityProvider, sign_in: SignIn
) -> None:
    sign_in("bob")
    assert client.get("/admin/", follow=True).status_code == 403
