"""The queue of those who wait, and the decisions about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from accounts.models import Affiliation, Group, Identity, Registration, User
from lsp_portal.lib import clock
from tests import factories

PATH = "/registrations/"


def newcomer(name: str = "erin", **values: Any) -> User:
    user = factories.user(name, registered_at=None, **values)
    Identity.objects.create(
        user=user, provider="egi", issuer="https://egi.example", subject=f"{name}-at-egi",
        claims={"eduperson_entitlement": ["urn:x"], "name": "<b>Erin</b>"},
    )  # fmt: skip
    Affiliation.objects.create(user=user, issuer="https://egi.example", claim="a", value="m@ed.uk")
    return user


@pytest.fixture
def erin(db: None) -> User:
    return newcomer()


@pytest.fixture
def office(client: Client, dora: User) -> Client:
    client.force_login(dora)
    return client


def test_the_list_shows_who_waits_with_the_evidence(
    office: Client, erin: User, alice: User, transients: Group
) -> None:
    factories.invitation(transients, alice, email=erin.email)
    page = office.get(PATH).content.decode()
    for text in ("Erin Example", "egi", "m@ed.uk", "Alice Example: Transients", "1 person waits"):
        assert text in page
    assert 'badge text-bg-light">1<' in office.get("/").content.decode()


def test_only_administrators_see_it(client: Client, erin: User, alice: User) -> None:
    client.force_login(alice)
    assert client.get(PATH).status_code == 403
    assert client.get(f"{PATH}erin/").status_code == 403
    assert client.post(f"{PATH}erin/approve").status_code == 403
    assert client.post(f"{PATH}approve", {"person": erin.pk}).status_code == 403
    client.force_login(erin)
    assert client.post(f"{PATH}erin/approve").status_code == 302
    erin.refresh_from_db()
    assert erin.registered_at is None


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("q=ERIN", True), ("q=charlie", False), ("provider=egi", True), ("provider=other", False),
        ("days=9", True), ("days=11", False), ("q=erin@", True),
    ],
)  # fmt: skip
def test_filters_find(office: Client, erin: User, query: str, is_found: bool) -> None:
    User.objects.filter(pk=erin.pk).update(date_joined=clock.now() - timedelta(days=10))
    assert ("Erin Example" in office.get(f"{PATH}?{query}").content.decode()) == is_found


@pytest.mark.parametrize("query", ["days=x", "days=-1", "q=%00", "days=99999999999999"])
def test_a_filter_that_is_none_is_a_400(office: Client, query: str) -> None:
    assert office.get(f"{PATH}?{query}").status_code == 400


def test_the_number_of_queries_does_not_grow(
    office: Client, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        newcomer(f"new-{number}")
    with django_assert_max_num_queries(9):
        office.get(PATH)


def test_approval_into_a_group_with_sponsor_is_kept_and_told(
    office: Client, erin: User, dora: User, alice: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:  # fmt: skip
    with django_capture_on_commit_callbacks(execute=True):
        answer = office.post(
            f"{PATH}erin/approve",
            {"group": "transients", "role": "member", "valid_to": "2099-01-01",
             "sponsor": "alice", "reason": "Works with Alice."},
        )  # fmt: skip
    assert answer["Location"] == PATH
    erin.refresh_from_db()
    row = erin.registrations.get()
    assert erin.is_registered
    assert (row.decided_by, row.sponsor, row.reason) == (dora, alice, "Works with Alice.")
    assert row.evidence["identities"][0]["subject"] == "erin-at-egi"
    assert row.evidence["affiliations"][0]["value"] == "m@ed.uk"
    made = erin.memberships.get()
    assert (made.group.name, made.added_by) == ("transients", dora)
    assert made.valid_to == datetime(2099, 1, 1, tzinfo=UTC)
    assert mail.outbox[0].to == ["erin@example.org"]
    assert "is approved" in mail.outbox[0].subject
    assert mail.outbox[0].message().get_content_type() == "multipart/alternative"


@pytest.mark.parametrize(
    "wrong",
    [
        {"group": "no-such"},
        {"sponsor": "nobody-here"},
        {"sponsor": "a\0b"},
        {"valid_from": "2027-01-02", "valid_to": "2027-01-01"},
        {"valid_to": "soon"},
        {"role": "king"},
        {"group": "transients", "valid_to": "2020-01-01"},
    ],
)
def test_wrong_words_approve_nobody(
    office: Client, erin: User, transients: Group, wrong: dict[str, str]
) -> None:
    assert office.post(f"{PATH}erin/approve", {"role": "member"} | wrong).status_code == 400
    erin.refresh_from_db()
    assert erin.registered_at is None
    assert not Registration.objects.exists()


def test_a_decision_is_taken_once(office: Client, erin: User) -> None:
    office.post(f"{PATH}erin/approve", {"role": "member"})
    again = office.post(f"{PATH}erin/approve", {"role": "member"})
    assert again.status_code == 409
    assert office.post(f"{PATH}erin/reject", {"reason": "No."}).status_code == 409
    assert Registration.objects.count() == 1


def test_a_rejected_person_learns_why_and_asks_again_once(
    office: Client, erin: User, dora: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:  # fmt: skip
    assert office.post(f"{PATH}erin/reject", {"reason": ""}).status_code == 400
    with django_capture_on_commit_callbacks(execute=True):
        office.post(f"{PATH}erin/reject", {"reason": "Who are you?"})
    assert "Who are you?" in mail.outbox[0].body
    assert "Nobody waits" in office.get(PATH).content.decode()
    person = Client()
    person.force_login(erin)
    assert "Who are you?" in person.get("/waiting").content.decode()
    assert person.post("/waiting", {"note": " "}).status_code == 400
    with django_capture_on_commit_callbacks(execute=True):
        assert person.post("/waiting", {"note": "Alice's student."}).status_code == 302
    assert mail.outbox[1].to == ["dora@example.org"]
    assert "asked again" in office.get(PATH).content.decode()
    assert "Alice&#x27;s student." in office.get(f"{PATH}erin/").content.decode()
    office.post(f"{PATH}erin/reject", {"reason": "Still no."})
    assert person.post("/waiting", {"note": "Please."}).status_code == 409
    assert [row.decision for row in erin.registrations.order_by("pk")] == [
        "rejected", "asked", "rejected",
    ]  # fmt: skip


def test_several_are_approved_together_and_each_decision_is_kept(
    office: Client, erin: User, dora: User
) -> None:
    frank, gina = newcomer("frank"), newcomer("gina")
    office.post(f"{PATH}approve", {"person": [erin.pk, frank.pk, "x", "9" * 40, "²"]})
    rows = Registration.objects.order_by("user__username")
    assert [(row.user, row.decided_by) for row in rows] == [(erin, dora), (frank, dora)]
    assert rows[0].evidence["identities"]
    gina.refresh_from_db()
    assert gina.registered_at is None


def test_the_action_of_the_administration_keeps_the_decision_too(
    office: Client, erin: User, dora: User
) -> None:
    path = "/admin/accounts/user/"
    office.post(path, {"action": "approve", "_selected_action": [erin.pk]})
    assert erin.registrations.get().decided_by == dora


def test_claims_are_shown_as_text(office: Client, erin: User) -> None:
    page = office.get(f"{PATH}erin/").content.decode()
    assert "&lt;b&gt;Erin&lt;/b&gt;" in page
    assert "<b>Erin" not in page
    assert office.get(f"{PATH}nobody-here/").status_code == 404
