"""What providers say of people's institutions: kept, shown, and asked for again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.affiliations import ask_to_confirm, note_affiliations
from accounts.identity.providers import Provider
from accounts.models import Affiliation, Group, Identity, User
from lsp_portal.lib import clock
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)
PROVIDER = Provider(
    name="egi",
    title="EGI",
    issuer="https://idp.example.org",
    client_id="portal",
    client_secret="x",
    affiliation_claims=("eduperson_scoped_affiliation", "affiliation"),
)
PEOPLE = "/admin/accounts/user/"


def say(user: User, at: datetime, **claims: object) -> int:
    identity, _ = Identity.objects.update_or_create(
        issuer=PROVIDER.issuer, subject=user.username, defaults={"user": user, "claims": claims}
    )
    return note_affiliations(identity, provider=PROVIDER, at=at)


def known(user: User) -> set[tuple[str, str]]:
    return set(Affiliation.objects.filter(user=user).values_list("value", "organisation"))


def test_every_assertion_is_kept_with_its_organisation(bob: User) -> None:
    say(bob, NOW, eduperson_scoped_affiliation=["member@ed.ac.uk", "staff@ROE.ac.uk"])
    assert known(bob) == {("member@ed.ac.uk", "ed.ac.uk"), ("staff@ROE.ac.uk", "roe.ac.uk")}


def test_values_between_semicolons_are_several(bob: User) -> None:
    say(bob, NOW, affiliation="member@ed.ac.uk;staff@ed.ac.uk", idp_name="Edinburgh")
    assert {value for value, _ in known(bob)} == {
        "member@ed.ac.uk", "staff@ed.ac.uk", "Edinburgh",
    }  # fmt: skip


def test_saying_it_again_moves_only_the_last_time(bob: User) -> None:
    for day in range(3):
        say(bob, NOW + day * DAY, eduperson_scoped_affiliation="member@ed.ac.uk")
    found = Affiliation.objects.get()
    assert (found.first_seen_at, found.last_seen_at) == (NOW, NOW + 2 * DAY)


def test_what_is_no_longer_said_stays_as_evidence(bob: User) -> None:
    say(bob, NOW, eduperson_scoped_affiliation="member@ed.ac.uk")
    say(bob, NOW + DAY, eduperson_scoped_affiliation="member@ucl.ac.uk")
    assert {value for value, _ in known(bob)} == {"member@ed.ac.uk", "member@ucl.ac.uk"}
    assert Affiliation.objects.get(organisation="ed.ac.uk").last_seen_at == NOW


@pytest.mark.parametrize("wrong", [None, 7, {}, [None, {}], "", " ; "], ids=repr)
def test_what_is_no_text_is_no_affiliation(bob: User, wrong: object) -> None:
    assert say(bob, NOW, eduperson_scoped_affiliation=wrong) == 0


def test_who_is_asked_sees_it_on_every_page_until_it_is_said_again(
    client: Client, bob: User
) -> None:
    client.force_login(bob)
    assert ask_to_confirm([bob], at=NOW) == [bob]
    assert "confirm your affiliation" in client.get("/account/").content.decode()
    say(bob, NOW - DAY, eduperson_scoped_affiliation="member@ed.ac.uk")
    assert "confirm your affiliation" in client.get("/account/").content.decode()
    say(bob, NOW + DAY, eduperson_scoped_affiliation="member@ed.ac.uk")
    assert "confirm your affiliation" not in client.get("/account/").content.decode()


def test_one_is_told_what_is_known_of_oneself(client: Client, alice: User, bob: User) -> None:
    say(bob, NOW, eduperson_scoped_affiliation="member@ed.ac.uk")
    for person, words in ((bob, "member@ed.ac.uk"), (alice, "Nothing is known")):
        client.force_login(person)
        assert words in client.get("/account/affiliation/").content.decode()


@pytest.fixture
def admin(client: Client, dora: User) -> Client:
    client.force_login(dora)
    return client


@pytest.mark.parametrize(
    ("choice", "shown"),
    [("none", {"charlie", "dora"}), ("30", {"alice"}), ("180", set()), ("", None)],
)
def test_administrators_find_who_has_none_or_an_old_one(
    admin: Client, alice: User, bob: User, charlie: User, choice: str, shown: set[str] | None
) -> None:
    say(alice, clock.now() - 40 * DAY, eduperson_scoped_affiliation="member@ed.ac.uk")
    say(bob, clock.now() - DAY, eduperson_scoped_affiliation="member@ucl.ac.uk")
    answer = admin.get(PEOPLE, {"affiliation": choice})
    found = {person.username for person in answer.context["cl"].result_list}
    assert found == (shown if shown is not None else {"alice", "bob", "charlie", "dora"})
    assert ("ed.ac.uk" in answer.content.decode()) == ("alice" in found)


def test_administrators_ask_people_to_confirm(admin: Client, bob: User, galaxies: Group) -> None:
    wish = {"action": "ask_to_confirm", "_selected_action": [bob.pk]}
    assert "Asked 1 people" in admin.post(PEOPLE, wish, follow=True).content.decode()
    assert "Asked 0 people" in admin.post(PEOPLE, wish, follow=True).content.decode()
    bob.refresh_from_db()
    assert bob.affiliation_asked_at is not None


def test_the_list_asks_no_more_questions_with_more_people(admin: Client) -> None:
    for number in range(3):
        say(factories.user(), NOW, eduperson_scoped_affiliation=f"member@{number}.ac.uk")
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            admin.get(PEOPLE)
        counts.append(len(queries))
        for number in range(20):
            say(factories.user(), NOW, eduperson_scoped_affiliation=f"member@{number}.ac.uk")
    assert counts[0] == counts[1]
