"""Several identities of one person, each of them proved."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpResponseBase
from django.test import Client
from pytest_django import Settings

from accounts.identity.proof import PROVED_AT
from accounts.models import Change, ClaimRule, Identity, Membership, SignIn, User
from accounts.registration import link_identity
from lsp_portal.lib import clock
from tests import factories
from tests.accounts.identity.conftest import Visitor
from tests.accounts.identity.hostile import HostileProvider
from tests.accounts.identity.site import serving

pytestmark = pytest.mark.django_db
PAGE = "/account/identities/"
LINK = "/account/identities/link/other"


@pytest.fixture
def other(hostile: HostileProvider, settings: Settings) -> Iterator[HostileProvider]:
    """A second provider, which tells the truth as well."""
    with serving() as site:
        found = HostileProvider(site, "other")
        found.claims = found.userinfo = {"sub": "robert"}
        settings.IDENTITY_PROVIDERS = [hostile.entry(), found.entry()]
        yield found


@pytest.fixture
def bob(db: None, hostile: HostileProvider) -> User:
    person = factories.user("bob")
    link_identity(person, issuer=hostile.site.address, subject="bob", at=clock.now())
    return person


@pytest.fixture
def second(bob: User, other: HostileProvider) -> Identity:
    return link_identity(bob, issuer=other.site.address, subject="robert", at=clock.now())


def link(visitor: Visitor, other: HostileProvider) -> HttpResponseBase:
    there = visitor.client.post(LINK)["Location"]
    return visitor.come_back(other.answer(there), "other")


def outdate(visitor: Visitor) -> None:
    session = visitor.client.session
    session[PROVED_AT] = time.time() - 901
    session.save()


def test_bob_links_a_second_identity_and_comes_in_by_both(
    visitor: Visitor, bob: User, other: HostileProvider
) -> None:
    visitor.walk()
    assert link(visitor, other)["Location"] == PAGE
    page = visitor.client.get(PAGE).content.decode()
    assert "the hostile one" in page
    assert "robert" in page
    assert "You can now also sign in with the other one" in page
    linked = bob.identities.get(subject="robert")
    assert (linked.provider, linked.claims["sub"]) == ("other", "robert")
    attempt = SignIn.objects.latest("pk")
    assert (attempt.outcome, attempt.detail, attempt.user) == ("ok", "linked", bob)
    visitor.client.post("/sign-out")
    visitor.come_back(other.answer(visitor.set_out(name="other")), "other")
    assert visitor.client.session["_auth_user_id"] == str(bob.pk)


def test_linking_asks_the_provider_for_the_password_again(
    visitor: Visitor, bob: User, other: HostileProvider
) -> None:
    visitor.walk()
    assert "prompt=login" in visitor.client.post(LINK)["Location"]


def test_a_sign_in_of_long_ago_does_not_suffice(
    visitor: Visitor, bob: User, other: HostileProvider
) -> None:
    visitor.walk()
    outdate(visitor)
    assert visitor.client.post(LINK)["Location"] == "/account/identities/prove"
    page = visitor.client.get("/account/identities/prove").content.decode()
    assert "Sign in with the hostile one" in page
    assert "again=1" in page
    there = visitor.client.get(f"/sign-in/hostile?next={PAGE}&again=1")["Location"]
    assert "prompt=login" in there
    assert visitor.come_back(visitor.hostile.answer(there))["Location"] == PAGE
    assert visitor.client.get("/account/identities/prove")["Location"] == PAGE
    assert visitor.client.post(LINK)["Location"].startswith(other.site.address)


def test_a_login_with_a_password_is_no_proof_of_an_identity(
    client: Client, bob: User, other: HostileProvider
) -> None:
    client.force_login(bob)
    assert client.post(LINK)["Location"] == "/account/identities/prove"


def test_linking_needs_a_form_of_this_site(
    visitor: Visitor, bob: User, other: HostileProvider
) -> None:
    assert visitor.client.post(LINK)["Location"].startswith("/sign-in?")
    visitor.walk()
    assert visitor.client.get(LINK).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = visitor.client.cookies
    assert strict.post(LINK).status_code == 403


def test_an_identity_of_somebody_else_is_not_taken(
    visitor: Visitor, bob: User, other: HostileProvider
) -> None:
    alice = factories.user("alice")
    link_identity(alice, issuer=other.site.address, subject="robert", at=clock.now())
    visitor.walk()
    answer = link(visitor, other)
    assert answer.status_code == 409
    page = getattr(answer, "content", b"").decode()
    assert "The identity was not linked" in page
    assert "belongs to another account" in page
    assert "merge" in page
    assert Identity.objects.get(subject="robert").user == alice
    attempt = SignIn.objects.latest("pk")
    assert (attempt.outcome, attempt.user) == ("identity_taken", bob)
    assert attempt.detail.startswith("linking: robert at http://")
    assert visitor.client.session["_auth_user_id"] == str(bob.pk)


def test_linking_twice_changes_nothing(
    visitor: Visitor, bob: User, second: Identity, other: HostileProvider
) -> None:
    visitor.walk()
    assert link(visitor, other).status_code == 302
    assert bob.identities.count() == 2


def test_who_signed_in_as_somebody_else_meanwhile_gets_nothing(
    visitor: Visitor, bob: User, other: HostileProvider
) -> None:
    """Signing in as another person forgets what was begun."""
    visitor.walk()
    there = visitor.client.post(LINK)["Location"]
    visitor.client.force_login(factories.user("alice"))
    assert visitor.come_back(other.answer(there), "other").status_code == 400
    assert not Identity.objects.filter(subject="robert").exists()


def test_who_signed_out_meanwhile_links_nothing(
    visitor: Visitor, bob: User, other: HostileProvider
) -> None:
    visitor.walk()
    there = visitor.client.post(LINK)["Location"]
    states = visitor.client.session["oidc_states"]
    visitor.client.post("/sign-out")
    session = SessionStore()
    session["oidc_states"] = states
    session.create()
    visitor.client.cookies["lsp_portal_session"] = session.session_key or ""
    assert visitor.come_back(other.answer(there), "other").status_code == 400
    assert SignIn.objects.latest("pk").outcome == "other_person"
    assert not Identity.objects.filter(subject="robert").exists()


def test_an_answer_that_was_begun_to_link_signs_nobody_in_elsewhere(
    visitor: Visitor, bob: User, other: HostileProvider
) -> None:
    visitor.walk()
    query = other.answer(visitor.client.post(LINK)["Location"])
    victim = Visitor(Client(), visitor.hostile)
    assert victim.come_back(query, "other").status_code == 400
    assert not victim.is_signed_in


def test_bob_unlinks_all_but_the_last(visitor: Visitor, bob: User, second: Identity) -> None:
    visitor.walk()
    assert "data-confirm" in visitor.client.get(PAGE).content.decode()
    visitor.client.post(f"{PAGE}{second.pk}/unlink")
    [left] = bob.identities.all()
    assert left.subject == "bob"
    assert "/unlink" not in visitor.client.get(PAGE).content.decode()
    visitor.client.post(f"{PAGE}{left.pk}/unlink")
    assert "your last identity" in visitor.client.get(PAGE).content.decode()
    assert bob.identities.count() == 1
    assert Change.objects.filter(about="an identity of bob", action=Change.Action.DELETE).exists()


def test_memberships_that_follow_from_an_unlinked_identity_end(
    visitor: Visitor, bob: User, second: Identity
) -> None:
    group = factories.group()
    rule = ClaimRule.objects.create(kind="group", value="/x", group=group)
    row = factories.membership(bob, group, synced=True, rule=rule, identity=second)
    visitor.walk()
    visitor.client.post(f"{PAGE}{second.pk}/unlink")
    assert not Membership.objects.valid(at=clock.now()).filter(user=bob).exists()
    row.refresh_from_db()
    assert (row.identity, row.valid_from) == (None, factories.LONG_AGO)


def test_unlinking_is_for_ones_own_identities_after_a_recent_sign_in(
    visitor: Visitor, bob: User, second: Identity
) -> None:
    alice = factories.user("alice")
    hers = link_identity(alice, issuer="https://x.example", subject="alice", at=clock.now())
    link_identity(alice, issuer="https://x.example", subject="alice-2", at=clock.now())
    visitor.walk()
    assert visitor.client.get(f"{PAGE}{second.pk}/unlink").status_code == 405
    assert visitor.client.post(f"{PAGE}{hers.pk}/unlink").status_code == 404
    outdate(visitor)
    there = visitor.client.post(f"{PAGE}{second.pk}/unlink")["Location"]
    assert there == "/account/identities/prove"
    assert bob.identities.count() == alice.identities.count() == 2


def test_an_account_with_a_password_alone_has_no_identities(client: Client, dora: User) -> None:
    client.force_login(dora)
    assert "No identities" in client.get(PAGE).content.decode()
