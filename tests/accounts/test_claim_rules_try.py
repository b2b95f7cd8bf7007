"""The dry run of claim rules on pasted claims."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils.html import strip_tags

from accounts.claims.sync import sync_everybody
from accounts.models import Change, ClaimRule, Group, HeldSync, Identity, Membership, User
from lsp_portal.lib import clock

pytestmark = pytest.mark.django_db

PATH = "/claim-rules/try/"
ISSUER = "https://idp.example.org"
PROVIDER = {
    "name": "iam",
    "title": "IAM",
    "issuer": ISSUER,
    "client_id": "portal",
    "client_secret": "x",
    "groups_claim": "groups",
}


@pytest.fixture
def admin(client: Client, dora: User, settings: LazySettings) -> Client:
    settings.IDENTITY_PROVIDERS = [PROVIDER]
    client.force_login(dora)
    return client


@pytest.fixture
def rule(transients: Group) -> ClaimRule:
    return ClaimRule.objects.create(kind="group", value="/lsst/uk", group=transients, role="pi")


def attempt(admin: Client, claims: Any, status: int = 200, username: str = "") -> str:
    text = claims if isinstance(claims, str) else json.dumps(claims)
    answer = admin.post(PATH, {"provider": "iam", "claims": text, "username": username})
    assert answer.status_code == status
    return " ".join(strip_tags(answer.content.decode()).split())


def test_it_names_the_rules_that_match_and_what_begins(admin: Client, rule: ClaimRule) -> None:
    page = attempt(admin, {"groups": ["/lsst/uk", "/other"]})
    assert "value of the groups claim /lsst/uk: PI of Transients" in page
    assert "Begins: PI of Transients" in page
    assert not Membership.objects.exists()


def test_without_a_match_it_says_so(admin: Client, rule: ClaimRule) -> None:
    page = attempt(admin, {"groups": ["/other"]})
    assert "No rule matches. No membership would begin or end." in page


def test_a_rule_that_is_off_does_not_match(admin: Client, rule: ClaimRule) -> None:
    ClaimRule.objects.update(active=False)
    assert "No rule matches" in attempt(admin, {"groups": ["/lsst/uk"]})


def come(user: User, *groups: str, provider: str = "iam", issuer: str = ISSUER) -> Identity:
    """What the provider said about the person when they came last; memberships follow."""
    identity = Identity.objects.create(
        user=user, provider=provider, issuer=issuer, subject=user.username,
        claims={"groups": list(groups)},
    )  # fmt: skip
    sync_everybody(at=clock.now())
    return identity


def test_with_a_person_it_compares_what_there_is(
    admin: Client, rule: ClaimRule, charlie: User
) -> None:
    come(charlie, "/lsst/uk")
    assert "No membership would begin or end" in attempt(
        admin, {"groups": ["/lsst/uk"]}, username="charlie"
    )
    page = attempt(admin, {}, username="charlie")
    assert "Ends: PI of Transients" in page
    assert "Begins:" not in page


def test_the_slash_at_the_end_of_an_issuer_makes_no_difference(
    admin: Client, rule: ClaimRule, charlie: User
) -> None:
    come(charlie, "/lsst/uk", issuer=f"{ISSUER}/")
    assert "Ends: PI of Transients" in attempt(admin, {}, username="charlie")


def test_another_role_ends_the_old_membership(
    admin: Client, rule: ClaimRule, charlie: User
) -> None:
    ClaimRule.objects.create(kind="group", value="/plain", group=rule.group, role="member")
    come(charlie, "/lsst/uk")
    page = attempt(admin, {"groups": ["/plain"]}, username="charlie")
    assert "Begins: member of Transients" in page
    assert "Ends: PI of Transients" in page


def test_what_another_provider_said_still_counts(
    admin: Client, rule: ClaimRule, charlie: User, settings: LazySettings
) -> None:
    second = PROVIDER | {"name": "two", "title": "Two", "issuer": "https://two.example.org"}
    settings.IDENTITY_PROVIDERS = [PROVIDER, second]
    come(charlie, "/lsst/uk", provider="two", issuer="https://two.example.org")
    assert "No membership would begin or end" in attempt(admin, {}, username="charlie")


def test_an_end_that_would_wait_for_a_decision_is_said_to(
    admin: Client, rule: ClaimRule, charlie: User
) -> None:
    come(charlie, "/lsst/uk")
    held = HeldSync.objects.create(group=rule.group)
    page = attempt(admin, {}, username="charlie")
    assert "Waits for a decision: the end of PI of Transients" in page
    assert "Ends:" not in page
    assert held.memberships.count() == 0


def test_nothing_is_written(admin: Client, rule: ClaimRule, charlie: User) -> None:
    come(charlie, "/lsst/uk")
    tables = (Membership, Identity, HeldSync, Change, ClaimRule, User)
    before = [list(table.objects.order_by("pk").values()) for table in tables]
    attempt(admin, {"groups": ["/other"]}, username="charlie")
    attempt(admin, {"groups": ["/lsst/uk"]})
    assert [list(table.objects.order_by("pk").values()) for table in tables] == before


@pytest.mark.parametrize(
    ("claims", "username", "words"),
    [
        ("{", "", "This is not JSON"),
        ("[1]", "", "Paste an object"),
        ("[" * 100_000, "", "This is not JSON"),
        ("{}", "nobody", "There is no person “nobody”."),
    ],
    ids=["broken", "list", "deep", "nobody"],
)
def test_what_cannot_be_tried_is_told(
    admin: Client, claims: str, username: str, words: str
) -> None:
    assert words in attempt(admin, claims, 400, username)
