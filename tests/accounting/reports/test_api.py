"""Reports through the API: the rows of the page, for those who may see the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounts.models import Membership
from tests import factories
from tests.accounting.reports.test_pages import table
from tests.cast import Cast, make_cast
from tests.programs import Program

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 2, 22, tzinfo=UTC)
YEAR: dict[str, Any] = {"first": "2026-01-01", "last": "2026-12-31"}


@pytest.fixture
def cast(db: None) -> Cast:
    """Alice 2 h and Bob 1 h for transients, Bob 1 h for galaxies."""
    made = make_cast()
    end = START + timedelta(hours=2)
    factories.charged_session(
        made.hub, made.alice, made.transients, ready_at=START, ended_at=end, image="lsst"
    )
    for group in (made.transients, made.galaxies):
        factories.charged_session(made.hub, made.bob, group, ready_at=START)
    return made


def get(who: Any, path: str = "reports", **asked: Any) -> Any:
    answer = Program(who).get(path, **YEAR, **asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def hours(answer: Any) -> dict[tuple[str, ...], str]:
    return {
        tuple(row[name]["name"] for name in answer["by"]): row["core_hours"]
        for row in answer["results"]
    }


def test_a_pi_asks_by_two_dimensions(cast: Cast) -> None:
    answer = get(cast.alice, by="user", then="image")
    assert hours(answer) == {("alice", "lsst"): "2.000000", ("bob", "base"): "1.000000"}
    assert answer["total"]["millicore_seconds"] == 3 * 3_600_000
    assert (answer["whose"], answer["count"], answer["next"]) == ("groups", 2, None)


def test_a_member_gets_the_own_part_and_an_outsider_nothing(cast: Cast) -> None:
    assert hours(get(cast.bob)) == {("galaxies",): "1.000000", ("transients",): "1.000000"}
    assert get(cast.charlie)["results"] == []
    for asked in ({"group": "transients"}, {"user": "bob"}, {"whose": "groups"}):
        assert Program(cast.charlie).get("reports", **YEAR, **asked).status_code == 400


@pytest.mark.parametrize("is_service", [True, False])
def test_administrators_and_services_get_everything(cast: Cast, is_service: bool) -> None:
    who = None if is_service else cast.dora
    assert get(who, by="hub")["total"]["core_hours"] == "4.000000"
    assert hours(get(who, user="bob", by="group"))["galaxies",] == "1.000000"


def test_a_page_of_rows_has_the_total_of_all(cast: Cast) -> None:
    first = get(cast.alice, by="user", limit=1)
    second = get(cast.alice, by="user", limit=1, offset=1)
    assert [row["user"]["name"] for row in first["results"] + second["results"]] == ["alice", "bob"]
    assert first["total"] == second["total"]
    assert "offset=1" in first["next"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("asked", "field", "said"),
    [
        ({"by": "colour"}, "by", "“colour” cannot be chosen. Choose one of: group, user, hub"),
        ({"then": "group", "by": "group"}, "then", "two different dimensions"),
        ({"whose": "all"}, "whose", "Choose one of: groups, mine."),
        ({"group": "galaxies"}, "group", "no group “galaxies” whose usage you may see"),
        ({"hub": "nowhere"}, "hub", "There are: demo."),
        ({"order": "size"}, "order", "Order by core_hours, user"),
        ({"format": "xlsx"}, "format", "Choose one of: json, csv, ods."),
        ({"grup": "transients"}, "grup", "There is no such parameter."),
        ({"image": "ls\0st"}, "image", "Null characters are not allowed."),
    ],
)
def test_a_wrong_wish_is_answered_with_what_is_right(
    cast: Cast, asked: dict[str, str], field: str, said: str
) -> None:
    answer = Program(cast.alice).get("reports", **YEAR, **asked)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    errors = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert said in errors[field]


def test_a_wrong_window_is_refused_as_on_every_page(cast: Cast) -> None:
    for path in ("reports", "reports/members"):
        answer = Program(cast.alice).get(path, first="2026-03-02", last="2026-03-01")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "last"


def test_rows_of_everybody_by_something_else_come_as_a_file(cast: Cast) -> None:
    asked = {"by": "user", "then": "size", **YEAR}
    refused = Program(cast.dora).get("reports", **asked)
    assert "format=csv" in refused.json()["errors"][0]["message"]
    answer = Program(cast.dora).get("reports", format="csv", **asked)
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[0].startswith("user,user_title,user_note,size,size_title,core_hours,")
    answer = Program(cast.dora).get("reports", format="ods", **asked)
    sheet = table(b"".join(answer.streaming_content))
    assert [len(lines), sheet[0]] == [3, lines[0].split(",")]


def test_members_of_a_time_are_listed_and_narrowed(cast: Cast) -> None:
    Membership.objects.filter(user=cast.bob, group=cast.transients).update(valid_to=START)
    found = get(cast.alice, "reports/members", user="bob")["results"]
    assert [(row["group"], row["valid_to"]) for row in found] == [
        ("transients", "2026-03-02T22:00:00Z")
    ]
    assert get(cast.charlie, "reports/members", group="transients")["results"] == []
    assert Program(cast.alice).get("reports/members", groop="x").status_code == 400


@pytest.mark.parametrize("path", ["reports", "reports/members"])
def test_answers_cost_the_same_however_much_there_is(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries, path: str
) -> None:
    program = Program(cast.alice)
    program.get(path, **YEAR)
    with CaptureQueriesContext(connection) as few:
        program.get(path, **YEAR)
    for _ in range(20):
        person = factories.user()
        factories.membership(person, cast.transients)
        factories.charged_session(cast.hub, person, cast.transients, ready_at=START)
    with django_assert_num_queries(len(few)):
        program.get(path, **YEAR)
