"""Requests to move sessions through the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from sessions.models import Adjustment, Reattribution, Session
from tests import factories
from tests.cast import Cast
from tests.programs import Program

pytestmark = pytest.mark.django_db


@pytest.fixture
def gina(cast: Cast) -> User:
    """The PI of galaxies."""
    pi = factories.user("gina")
    factories.membership(pi, cast.galaxies, "pi")
    return pi


def bobs(cast: Cast, **values: Any) -> Session:
    return factories.charged_session(cast.hub, cast.bob, cast.transients, **values)


def body(of: Session, **values: Any) -> dict[str, Any]:
    return {"session": of.pk, "to_group": "galaxies", "reason": "Ours", **values}


def test_bob_asks_and_gina_accepts_once(cast: Cast, gina: User) -> None:
    bob, pi = Program(cast.bob), Program(gina)
    wish = body(bobs(cast))
    made = bob.post("reattributions", wish, key="one")
    assert (made.status_code, made.json()["state"]) == (201, "open")
    assert bob.post("reattributions", wish, key="one").json() == made.json()
    row = made.json()["id"]
    waiting = pi.get("reattributions", waiting="true").json()
    assert [one["id"] for one in waiting["results"]] == [row]
    for _ in range(2):
        accepted = pi.post(f"reattributions/{row}/accept", {"answer": "Yes"})
        assert (accepted.status_code, accepted.json()["state"]) == (200, "accepted")
    assert accepted.json()["decided_by"] == "gina"
    assert Adjustment.objects.count() == 1
    late = bob.post(f"reattributions/{row}/withdraw", {})
    assert (late.status_code, late.json()["code"]) == (409, "decided")
    assert late["Content-Type"] == "application/problem+json"


def test_refusals_say_what_is_wrong(cast: Cast, gina: User) -> None:
    bob, session = Program(cast.bob), bobs(cast)
    for wish, status, code in (
        (body(session, to_group="solar-system"), 409, "not_a_member"),
        (body(session, to_group="nowhere"), 404, "not_found"),
        (body(session, session=10**9), 404, "not_found"),
        (body(session, session="x"), 400, "invalid"),
        (body(session, colour="red"), 400, "invalid"),
        (body(session, reason=" "), 400, "invalid"),
    ):
        answer = bob.post("reattributions", wish)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert Program(cast.charlie).post("reattributions", body(session)).status_code == 404
    assert bob.post("reattributions", body(session)).status_code == 201
    again = bob.post("reattributions", body(session))
    assert (again.status_code, again.json()["code"]) == (409, "open_already")
    row = Reattribution.objects.get()
    no = bob.post(f"reattributions/{row.pk}/accept", {})
    assert (no.status_code, no.json()["code"]) == (403, "forbidden")
    assert Program(gina).post(f"reattributions/{row.pk}/decline", {}).status_code == 400
    declined = Program(gina).post(f"reattributions/{row.pk}/decline", {"answer": "Not ours"})
    assert declined.json()["answer"] == "Not ours"


def test_people_see_what_concerns_them(cast: Cast, gina: User) -> None:
    Program(cast.bob).post("reattributions", body(bobs(cast)))
    for who, number in ((cast.bob, 1), (cast.alice, 1), (gina, 1), (cast.dora, 1),
                        (cast.charlie, 0)):  # fmt: skip
        assert Program(who).get("reattributions").json()["count"] == number
    dora = Program(cast.dora)
    assert dora.get("reattributions", state="accepted").json()["count"] == 0
    assert dora.get("reattributions", to_group="galaxies", state="open").json()["count"] == 1
    assert dora.get("reattributions", colour="red").status_code == 400


def test_the_list_costs_the_same_for_many(
    cast: Cast, gina: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bob, pi = Program(cast.bob), Program(gina)
    bob.post("reattributions", body(bobs(cast)))
    pi.get("reattributions")
    with CaptureQueriesContext(connection) as few:
        pi.get("reattributions")
    number_of_few = len(few)  # the log begins anew with the next request
    for number in range(6):
        bob.post("reattributions", body(bobs(cast, server=f"lab-{number}")))
    with django_assert_num_queries(number_of_few):
        assert pi.get("reattributions").json()["count"] == 7
