"""Merging two accounts of one person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from accounts.identity.arrivals import let_in
from accounts.identity.assertions import Assertion
from accounts.identity.failures import AccountSwitchedOffError
from accounts.identity.providers import Provider
from accounts.merging import merge, preview
from accounts.models import Affiliation, ApiToken, Change, ClaimRule, Group, Membership, User
from accounts.registration import link_identity
from tests import factories

pytestmark = pytest.mark.django_db
AT = datetime(2026, 5, 1, 8, tzinfo=UTC)
LATER = AT + timedelta(days=30)
MUCH_LATER = AT + timedelta(days=60)
PROVIDER = Provider("other", "Other", "https://other.example", "portal", "secret")
PAGE = "/admin/accounts/user/merge/"


@pytest.fixture
def robert() -> User:
    """Bob's second account."""
    person = factories.user("robert")
    link_identity(person, issuer=PROVIDER.issuer, subject="robert", at=AT)
    return person


def spans(of: User, group: Group) -> list[tuple[str, datetime, datetime | None]]:
    """The times from now on, as roles of a person in a group."""
    rows = Membership.objects.filter(user=of, group=group).order_by("valid_from")
    unended = [
        row for row in rows if row.valid_to is None or row.valid_to > max(AT, row.valid_from)
    ]
    return [(str(row.role), max(AT, row.valid_from), row.valid_to) for row in unended]


def test_a_moved_identity_leads_to_the_kept_account(bob: User, robert: User, dora: User) -> None:
    merge(keep=bob, old=robert, by=dora, at=AT)
    robert.refresh_from_db()
    assert (robert.is_active, robert.merged_into) == (False, bob)
    assertion = Assertion(PROVIDER.issuer, "robert", {})
    assert let_in(provider=PROVIDER, assertion=assertion, at=AT) == bob


def test_memberships_begin_anew_and_history_stays(
    bob: User, robert: User, dora: User, solar_system: Group
) -> None:
    old = factories.membership(robert, solar_system, "manager", rights=["usage"], ceiling=5)
    merge(keep=bob, old=robert, by=dora, at=AT)
    old.refresh_from_db()
    assert (old.user, old.valid_from, old.valid_to) == (robert, factories.LONG_AGO, AT)
    new = Membership.objects.get(user=bob, group=solar_system)
    assert (new.role, new.rights, new.ceiling, new.valid_from) == ("manager", ["usage"], 5, AT)
    assert (new.valid_to, new.added_by) == (None, dora)


@pytest.mark.parametrize(
    ("kept", "moved", "left"),
    [
        (("member", None), ("member", None), [("member", AT, None)]),
        (("member", None), ("pi", None), [("pi", AT, None)]),
        (("pi", None), ("member", LATER), [("pi", AT, None)]),
        (("member", None), ("pi", LATER), [("pi", AT, LATER), ("member", LATER, None)]),
        (("pi", LATER), ("member", None), [("pi", AT, LATER), ("member", LATER, None)]),
        (("member", LATER), ("pi", MUCH_LATER), [("pi", AT, MUCH_LATER)]),
    ],
)
def test_where_both_are_in_a_group_the_stronger_role_counts(
    kept: Any, moved: Any, left: Any, robert: User, dora: User, galaxies: Group
) -> None:
    person = factories.user()
    factories.membership(person, galaxies, kept[0], valid_to=kept[1])
    factories.membership(robert, galaxies, moved[0], valid_to=moved[1])
    merge(keep=person, old=robert, by=dora, at=AT)
    assert spans(person, galaxies) == left
    assert spans(robert, galaxies) == []


def test_a_stronger_role_in_the_future_cuts_the_present_one_in_two(
    robert: User, dora: User, galaxies: Group
) -> None:
    person = factories.user()
    factories.membership(person, galaxies, "member")
    factories.membership(robert, galaxies, "pi", valid_from=LATER, valid_to=MUCH_LATER)
    merge(keep=person, old=robert, by=dora, at=AT)
    assert spans(person, galaxies) == [
        ("member", AT, LATER),
        ("pi", LATER, MUCH_LATER),
        ("member", MUCH_LATER, None),
    ]


def test_memberships_from_claims_follow_their_identity(
    bob: User, robert: User, dora: User, solar_system: Group
) -> None:
    rule = ClaimRule.objects.create(kind="group", value="/sun", group=solar_system)
    values: dict[str, Any] = {"synced": True, "rule": rule, "identity": robert.identities.get()}
    factories.membership(robert, solar_system, **values)
    merge(keep=bob, old=robert, by=dora, at=AT)
    new = Membership.objects.get(user=bob, group=solar_system)
    assert (new.synced, new.rule, new.identity) == (True, rule, robert_identity(bob))


def robert_identity(of: User) -> Any:
    return of.identities.get(subject="robert")


def test_tokens_end_and_guests_get_the_kept_account_as_owner(
    bob: User, robert: User, dora: User
) -> None:
    token = ApiToken.objects.create(
        name="script", user=robert, scopes=["read"], digest=b"x" * 32, hint="lsp_x"
    )
    guest = factories.user("guest", kind="guest", owner=robert, expires_at=LATER)
    merge(keep=bob, old=robert, by=dora, at=AT)
    token.refresh_from_db()
    guest.refresh_from_db()
    assert (token.revoked_at, guest.owner) == (AT, bob)


def test_affiliations_are_evidence_for_the_kept_account_too(
    bob: User, robert: User, dora: User
) -> None:
    for person, seen in ((bob, AT), (robert, LATER)):
        Affiliation.objects.create(
            user=person, issuer="i", claim="c", value="member@x.example",
            first_seen_at=AT, last_seen_at=seen,
        )  # fmt: skip
    Affiliation.objects.create(user=robert, issuer="i", claim="c", value="staff@x.example")
    merge(keep=bob, old=robert, by=dora, at=AT)
    told = {row.value: row.last_seen_at for row in bob.affiliations.all()}
    assert told["member@x.example"] == LATER
    assert set(told) == {"member@x.example", "staff@x.example"}
    assert robert.affiliations.count() == 2


def test_the_old_account_is_signed_out(client: Client, bob: User, robert: User, dora: User) -> None:
    client.force_login(robert)
    merge(keep=bob, old=robert, by=dora, at=AT)
    assert client.get("/account/")["Location"].startswith("/sign-in")


def test_who_signs_in_with_a_merged_account_is_told_which_goes_on(
    bob: User, robert: User, dora: User
) -> None:
    merge(keep=bob, old=robert, by=dora, at=AT)
    link_identity(robert, issuer=PROVIDER.issuer, subject="left-behind", at=AT)
    with pytest.raises(AccountSwitchedOffError, match="merged into “bob”"):
        let_in(provider=PROVIDER, assertion=Assertion(PROVIDER.issuer, "left-behind", {}), at=AT)


def test_every_row_is_in_the_trail(bob: User, robert: User, dora: User, galaxies: Group) -> None:
    factories.membership(robert, galaxies)
    before = Change.objects.count()
    merge(keep=bob, old=robert, by=dora, at=AT)
    told = " ".join(Change.objects.order_by("pk")[before:].values_list("about", flat=True))
    assert "account robert" in told
    assert "identity" in told
    assert "membership" in told


@pytest.mark.parametrize("case", ["same", "again", "bucket", "waiting", "own"])
def test_what_cannot_be_merged_is_refused(case: str, bob: User, robert: User, dora: User) -> None:
    waiting = factories.user("waiting", registered_at=None)
    bucket = factories.user("shared", kind="bucket", owner=bob, expires_at=LATER)
    other = factories.user("gone", is_active=False, merged_into=bob)
    keep, old = {
        "same": (bob, bob),
        "again": (bob, other),
        "bucket": (bob, bucket),
        "waiting": (waiting, robert),
        "own": (bob, dora),
    }[case]
    for act in (preview, merge):
        with pytest.raises(ValidationError):
            act(keep=keep, old=old, by=dora, at=AT)
    old.refresh_from_db()
    assert old.identities.count() == (old == robert)


def test_dora_merges_on_a_page_that_first_shows_what_happens(
    client: Client, bob: User, robert: User, dora: User, solar_system: Group
) -> None:
    factories.membership(robert, solar_system)
    client.force_login(dora)
    chosen = {"action": "merge", "_selected_action": [bob.pk, robert.pk]}
    there = client.post("/admin/accounts/user/", chosen)["Location"]
    assert there == f"{PAGE}?keep=bob&old=robert"
    page = client.get(there).content.decode()
    assert "robert at https://other.example" in page
    assert "Solar System" in page
    robert.refresh_from_db()
    assert robert.is_active
    client.post(PAGE, {"keep": "bob", "old": "robert"})
    robert.refresh_from_db()
    assert robert.merged_into == bob
    own = client.get(f"/admin/accounts/user/{robert.pk}/change/").content.decode()
    assert f"/admin/accounts/user/{bob.pk}/change/" in own
    kept = client.get(f"/admin/accounts/user/{bob.pk}/change/").content.decode()
    assert f"/admin/accounts/user/{robert.pk}/change/" in kept


@pytest.mark.parametrize(
    "query", ["keep=bob&old=bob", "keep=bob&old=nobody", "keep=%00&old=bob", "keep=bob"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_wrong_choice_is_a_clear_page(
    client: Client, bob: User, dora: User, query: str, method: str
) -> None:
    client.force_login(dora)
    if method == "get":
        answer = client.get(f"{PAGE}?{query}")
    else:
        answer = client.post(PAGE, query, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400


def test_one_account_cannot_be_merged(client: Client, bob: User, dora: User) -> None:
    client.force_login(dora)
    chosen = {"action": "merge", "_selected_action": [bob.pk]}
    page = client.post("/admin/accounts/user/", chosen, follow=True).content.decode()
    assert "Choose two accounts" in page


def test_only_superusers_merge(client: Client, bob: User, robert: User) -> None:
    client.force_login(factories.user("staff", is_staff=True))
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"keep": "bob", "old": "robert"}).status_code == 403
    robert.refresh_from_db()
    assert robert.is_active
