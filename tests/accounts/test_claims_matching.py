"""Which memberships follow from claims by the rules."""

from __future__ import annotations

import time
from typing import Any

import pytest

from accounts.claims.matching import RuleBook, Said, wanted
from accounts.identity.providers import Provider
from accounts.models import ClaimRule

EGI = Provider("egi", "EGI", "https://egi.example", "id", "secret", kind="egi")
CILOGON = Provider(
    "cilogon", "CILogon", "https://cilogon.example", "id", "s", groups_claim="isMemberOf"
)
GITHUB = Provider(
    "github", "GitHub", "https://github.example", "id", "s", kind="github", groups_claim="",
    entitlement_claims=(),
)  # fmt: skip
URN = "urn:mace:egi.eu:group:fedcloud.egi.eu:lsst:role=vm_operator#aai.egi.eu"


def rule(kind: str, value: str, **values: Any) -> ClaimRule:
    return ClaimRule(**{"pk": 1, "kind": kind, "value": value, "group_id": 1, **values})


def applies(to: ClaimRule, provider: Provider, **claims: Any) -> bool:
    return bool(wanted(RuleBook.of([to]), [Said.by(provider, claims, None)]))


@pytest.mark.parametrize(
    ("value", "role", "found"),
    [
        ("fedcloud.egi.eu:lsst", "", True),
        ("fedcloud.egi.eu:lsst", "vm_operator", True),
        ("fedcloud.egi.eu:lsst", "member", False),
        ("fedcloud.egi.eu", "", False),
        ("lsst", "", False),
        ("urn:mace:egi.eu:group:fedcloud.egi.eu:lsst", "", True),
        ("urn:MACE:egi.eu:group:fedcloud.egi.eu:lsst#elsewhere", "", True),
        (URN, "", True),
        ("urn:mace:egi.eu:group:fedcloud.egi.eu:lsst:role=member", "", False),
        ("urn:mace:example.org:group:fedcloud.egi.eu:lsst", "", False),
        ("urn:nonsense", "", False),
    ],
)
def test_an_entitlement_counts_by_group_and_role(value: str, role: str, found: bool) -> None:
    asked = rule("entitlement", value, claim_role=role)
    for claim in ("eduperson_entitlement", "entitlements"):
        assert applies(asked, EGI, **{claim: [URN, "urn:mace:egi.eu:res:x"]}) is found
    assert applies(asked, EGI, eduperson_entitlement=URN) is found


@pytest.mark.parametrize("value", ["/lsst/uk", "lsst/uk", "/lsst/uk/"])
@pytest.mark.parametrize("said", ["/lsst/uk", "lsst/uk"])
def test_a_group_counts_with_and_without_the_leading_slash(value: str, said: str) -> None:
    assert applies(rule("group", value), EGI, groups=[said])
    assert not applies(rule("group", value), EGI, groups=["/lsst", "/lsst/uk/more", "/LSST/uk"])


def test_the_groups_claim_is_that_of_the_provider() -> None:
    asked = rule("group", "CO:members:active")
    assert applies(asked, CILOGON, isMemberOf=["CO:members:active"])
    assert not applies(asked, CILOGON, groups=["CO:members:active"])


def test_organisations_and_teams_count_at_github_alone() -> None:
    claims = {"organisations": ["LSST-UK"], "teams": ["lsst-uk/lasair"]}
    assert applies(rule("github-org", "lsst-uk"), GITHUB, **claims)
    assert applies(rule("github-team", "LSST-uk/Lasair"), GITHUB, **claims)
    assert not applies(rule("github-team", "lsst-uk"), GITHUB, **claims)
    assert not applies(rule("github-org", "lsst-uk"), EGI, **claims)


def test_a_rule_for_one_provider_does_not_count_at_another() -> None:
    assert applies(rule("group", "x", provider="egi"), EGI, groups=["x"])
    assert not applies(rule("group", "x", provider="other"), EGI, groups=["x"])


@pytest.mark.parametrize("claim", [None, 5, {"x": 1}, [None, 5, ["x"], {}], "", ["", "  "]])
def test_claims_of_another_shape_say_nothing(claim: Any) -> None:
    claims = {"groups": claim, "eduperson_entitlement": claim, "organisations": claim}
    for kind in ClaimRule.Kind.values:
        assert not applies(rule(kind, "x"), EGI, **claims)
        assert not applies(rule(kind, "x"), GITHUB, **claims)


def test_the_strongest_role_counts_and_then_the_oldest_rule() -> None:
    rules = [
        rule("group", "x", pk=1), rule("group", "y", pk=3, role="pi"),
        rule("group", "z", pk=2, role="pi"), rule("group", "z", pk=4, group_id=2),
    ]  # fmt: skip
    found = wanted(RuleBook.of(rules), [Said.by(EGI, {"groups": ["x", "y", "z"]}, None)])
    assert {group: [m.rule.pk for m in matches] for group, matches in found.items()} == {
        1: [2, 3],
        2: [4],
    }


def test_ten_thousand_groups_against_a_thousand_rules_take_a_moment() -> None:
    book = RuleBook.of(rule("group", f"g{n}", pk=n, group_id=n) for n in range(1, 1001))
    began = time.perf_counter()
    found = wanted(book, [Said.by(EGI, {"groups": [f"g{n}" for n in range(10_000)]}, None)])
    assert len(found) == 1000
    assert time.perf_counter() - began < 1
