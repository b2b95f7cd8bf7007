"""The dry run of claim rules on pasted claims."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils.html import strip_tags

from accounts.models import ClaimRule, Group, Identity, Membership, User
from tests import factories

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


def test_with_a_person_it_compares_what_there_is(
    admin: Client, rule: ClaimRule, charlie: User
) -> None:
    identity = Identity.objects.create(user=charlie, issuer=ISSUER, subject="c")
    factories.membership(charlie, rule.group, "pi", synced=True, rule=rule, identity=identity)
    assert "No membership would begin or end" in attempt(
        admin, {"groups": ["/lsst/uk"]}, username="charlie"
    )
    assert "Ends: PI of Transients" in attempt(admin, {}, username="charlie")
    assert Membership.objects.filter(synced=True, valid_to=None).count() == 1


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
