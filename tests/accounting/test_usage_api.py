"""Usage, quotas and forecasts through the API: the numbers of the pages, for those who see them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting import usage
from accounting.pages.overview import cells, group_lines
from accounting.usage import Window
from accounts.models import User
from lsp_portal.lib import clock
from quotas.models import AllocationPeriod, StorageQuota
from tests import factories
from tests.cast import Cast, make_cast
from tests.programs import Program

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
START = datetime(2026, 3, 2, 22, tzinfo=UTC)
YEAR = {"first": "2026-01-01", "last": "2026-12-31"}


@pytest.fixture
def cast(db: None) -> Cast:
    """Alice used 2 h 7 s of Small for transients over midnight, Bob one hour for each group."""
    made = make_cast()
    long = {"ready_at": START, "ended_at": START + timedelta(hours=2, seconds=7)}
    factories.charged_session(made.hub, made.alice, made.transients, **long)
    for group in (made.transients, made.galaxies):
        factories.charged_session(made.hub, made.bob, group, ready_at=START + 3 * HOUR)
    return made


@pytest.fixture
def year() -> AllocationPeriod:
    return factories.period(date(2026, 1, 1), date(2027, 1, 1), title="2026")


def rows(who: User | None, path: str = "usage", **asked: Any) -> Any:
    answer = Program(who).get(path, **asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def hours(answer: Any, by: str) -> dict[str, str]:
    return {row[by]: row["core_hours"] for row in answer["results"]}


def test_a_pi_sees_the_group_by_person_and_by_day(cast: Cast) -> None:
    people = rows(cast.alice, group="transients", by="user", **YEAR)
    assert hours(people, "user") == {"alice": "2.001944", "bob": "1.000000"}
    assert people["total"]["core_hours"] == "3.001944"
    assert people["total"]["millicore_seconds"] == 10_807_000
    days = rows(cast.alice, group="transients", by="day", **YEAR)
    assert hours(days, "day") == {"2026-03-02": "2.000000", "2026-03-03": "1.001944"}
    assert (people["group"], people["user"], people["start"]) == (
        "transients", None, "2026-01-01T00:00:00Z",
    )  # fmt: skip


def test_a_member_sees_only_the_own_part(cast: Cast) -> None:
    own = rows(cast.bob, by="group", **YEAR)
    assert hours(own, "group") == {"galaxies": "1.000000", "transients": "1.000000"}
    part = rows(cast.bob, group="transients", **YEAR)
    assert (part["user"], part["total"]["core_hours"]) == ("bob", "1.000000")
    caller = Program(cast.bob)
    assert caller.get("usage", group="transients", user="alice", **YEAR).status_code == 404
    assert caller.get("usage", user="alice", **YEAR).status_code == 404
    assert caller.get("usage", group="solar-system", **YEAR).status_code == 404
    assert Program(cast.alice).get("usage", group="galaxies", **YEAR).status_code == 404


def test_a_manager_without_the_right_to_see_usage_sees_only_the_own_part(cast: Cast) -> None:
    manager = factories.user("max")
    factories.membership(manager, cast.transients, "manager", rights=["members"])
    part = rows(manager, group="transients", **YEAR)
    assert (part["user"], part["total"]["millicore_seconds"]) == ("max", 0)
    assert Program(manager).get("groups/transients/forecast").status_code == 404


@pytest.mark.parametrize("is_service", [True, False])
def test_administrators_and_services_see_everything(cast: Cast, is_service: bool) -> None:
    caller = None if is_service else cast.dora
    everything = rows(caller, by="group", **YEAR)
    assert hours(everything, "group") == {"galaxies": "1.000000", "transients": "3.001944"}
    assert (everything["group"], everything["user"]) == (None, None)
    assert hours(rows(caller, user="bob", by="group", **YEAR), "group")["galaxies"] == "1.000000"


def test_running_sessions_count_up_to_the_moment_that_the_answer_gives(cast: Cast) -> None:
    begin = clock.now() - 5 * HOUR
    factories.charged_session(cast.hub, cast.alice, cast.transients, ready_at=begin, ended_at=None)
    today = clock.now().date()
    asked = {"first": str(today - timedelta(days=2)), "last": str(today)}
    answer = rows(cast.alice, group="transients", **asked)
    at = datetime.fromisoformat(answer["at"])
    window = Window(
        datetime.fromisoformat(answer["start"]), datetime.fromisoformat(answer["end"]), at
    )
    total = usage.total(window, group=cast.transients)
    assert answer["total"]["millicore_seconds"] == total.millicore_seconds > 0


def test_a_page_of_rows_has_the_total_of_all(cast: Cast) -> None:
    page = rows(cast.alice, group="transients", by="user", limit="1", **YEAR)
    assert (page["count"], len(page["results"])) == (2, 1)
    assert page["total"]["core_hours"] == "3.001944"
    assert "offset=1" in page["next"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"grup": "transients"}, "grup"),
        ({"by": "hour"}, "by"),
        ({"by": "group", "group": "transients"}, "by"),
        ({"first": "2026-01-01"}, ""),
        ({"first": "2026-02-30", "last": "2026-03-01"}, "first"),
        ({"first": "2020-01-01", "last": "2026-03-01"}, "last"),
        ({"first": "2026-03-02", "last": "2026-03-01"}, "last"),
        ({"period": "0"}, "period"),
        ({"group": "trans\0ients"}, "group"),
    ],
)
def test_a_wrong_wish_is_refused_with_the_field(cast: Cast, asked: Any, field: str) -> None:
    answer = Program(cast.alice).get("usage", **asked)
    assert answer.status_code == 400, answer.content
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=st.integers(0, 60), length=st.integers(0, 30))
def test_in_every_window_the_sums_are_those_of_the_overview(
    cast: Cast, first: int, length: int
) -> None:
    begin = date(2026, 2, 1) + timedelta(days=first)
    answer = rows(cast.dora, by="group", first=str(begin), last=str(begin + timedelta(days=length)))
    moments = (datetime.fromisoformat(answer[name]) for name in ("start", "end", "at"))
    lines = group_lines(Window(*moments), None)
    shown = {line.named.name: cells(line)[2] for line in lines if line.named}
    assert hours(answer, "group") == shown


LISTS = ("allocation-periods", "compute-quotas", "storage-quotas", "grants")


def give(cast: Cast, within: AllocationPeriod) -> None:
    """One more group with usage, quotas and a grant."""
    group = factories.group()
    factories.grant(factories.quota(group, within, "10"), "1", cast.dora)
    StorageQuota.objects.create(group=group, period=within, limit_bytes=1)
    factories.charged_session(cast.hub, cast.alice, group, ready_at=START)


def test_the_number_of_questions_does_not_grow_with_the_groups(
    cast: Cast, year: AllocationPeriod
) -> None:
    caller = Program(cast.dora)

    def questions(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert caller.get(path).status_code == 200
        return len(captured)

    paths = ("usage?by=group", *LISTS)
    give(cast, year)
    assert caller.get("me").status_code == 200  # notes when the token was used
    few = [questions(path) for path in paths]
    for _ in range(12):
        give(cast, year)
    assert [questions(path) for path in paths] == few


def test_quotas_say_what_they_are_with_all_grants(cast: Cast, year: AllocationPeriod) -> None:
    quota = factories.quota(cast.transients, year, "100", mode="soft")
    factories.quota(cast.galaxies, year, "50")
    factories.grant(quota, "20.5", cast.dora)
    factories.grant(quota, "7", cast.dora, valid_to=START)
    found = rows(cast.alice, "compute-quotas")
    assert found["results"] == [
        {
            "id": quota.pk,
            "group": "transients",
            "period": year.pk,
            "core_hours": "100.000000",
            "limit": "120.500000",
            "mode": "soft",
        }
    ]
    assert rows(cast.bob, "compute-quotas")["count"] == 0
    assert rows(cast.dora, "compute-quotas", group="galaxies")["count"] == 1
    assert rows(cast.alice, "grants")["count"] == 2
    assert rows(cast.alice, "grants", at=clock.now().isoformat())["count"] == 1
    assert rows(cast.bob, "allocation-periods", at="2026-05-01T00:00:00Z")["count"] == 1
    assert rows(cast.bob, "allocation-periods", at="2027-01-01T00:00:00Z")["count"] == 0
    assert Program(cast.dora).get("grants", colour="red").status_code == 400
    assert Program(cast.dora).get("compute-quotas", period="9" * 30).status_code == 400


def test_the_forecast_is_that_of_the_page(cast: Cast) -> None:
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    year = factories.period((today - 60 * 24 * HOUR).date(), (today + 60 * 24 * HOUR).date())
    assert rows(cast.alice, "groups/transients/forecast")["limit"] is None
    factories.quota(cast.transients, year, "40")
    for day in range(1, 29):
        ready_at = today - day * 24 * HOUR
        factories.charged_session(cast.hub, cast.alice, cast.transients, ready_at=ready_at)
    found = rows(cast.alice, "groups/transients/forecast")
    assert Decimal(found["remaining"]["core_hours"]) <= 12
    assert found["forecast"]["per_day"] == {
        "core_hours": "1.000000", "millicore_seconds": 3_600_000,
    }  # fmt: skip
    assert found["forecast"]["runs_out"] is not None
    assert Program(cast.bob).get("groups/transients/forecast").status_code == 404


def test_an_administrator_makes_a_period_quotas_and_a_grant_each_once(cast: Cast) -> None:
    dora = Program(cast.dora)
    body = {"title": "2027", "starts_on": "2027-01-01", "ends_on": "2028-01-01"}
    made = dora.post("allocation-periods", body, key="p")
    assert made.status_code == 201, made.content
    assert dora.post("allocation-periods", body, key="p").json() == made.json()
    within = {"group": "transients", "period": made.json()["id"]}
    quota = dora.post("compute-quotas", {**within, "core_hours": "100.5"}, key="q")
    assert (quota.status_code, quota.json()["limit"]) == (201, "100.500000")
    grant = {"quota": quota.json()["id"], "core_hours": "-0.5", "reason": "Too many"}
    given = dora.post("grants", grant, key="g")
    assert (given.status_code, given.json()["author"]) == (201, "dora")
    assert dora.post("storage-quotas", {**within, "limit_bytes": 7}).status_code == 201
    assert Program(cast.alice).post("grants", grant).status_code == 403
    assert Program(None).post("grants", grant).status_code == 403
    assert Program(cast.dora, ("read",)).post("grants", grant).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("allocation-periods", {"ends_on": "2026-01-01"}, "ends_on"),
        ("allocation-periods", {"ends_on": "2027-06-01"}, ""),
        ("allocation-periods", {"colour": "red"}, "colour"),
        ("compute-quotas", {"core_hours": "-1"}, ""),
        ("compute-quotas", {"core_hours": "1e400"}, "core_hours"),
        ("compute-quotas", {"group": "nowhere"}, "group"),
        ("compute-quotas", {"period": 0}, "period"),
        ("storage-quotas", {"limit_bytes": 2**63}, "limit_bytes"),
        ("grants", {"core_hours": "0"}, ""),
        ("grants", {"reason": ""}, "reason"),
        ("grants", {"valid_to": "2020-01-01T00:00:00Z"}, ""),
    ],
)
def test_what_is_not_possible_is_refused_with_the_field(
    cast: Cast, year: AllocationPeriod, path: str, body: Any, field: str
) -> None:
    quota = factories.quota(cast.galaxies, year, "10")
    of_group = {"group": "transients", "period": year.pk}
    right: dict[str, dict[str, Any]] = {
        "allocation-periods": {"title": "x", "starts_on": "2026-06-01", "ends_on": "2027-06-01"},
        "compute-quotas": {**of_group, "core_hours": "1"},
        "storage-quotas": {**of_group, "limit_bytes": 1},
        "grants": {"quota": quota.pk, "core_hours": "1", "reason": "More"},
    }
    answer = Program(cast.dora).post(path, {**right[path], **body})
    assert answer.status_code == 400, answer.content
    assert [error["field"] for error in answer.json()["errors"]] == [field]
