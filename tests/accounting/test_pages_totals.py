"""Every total opens the sessions that make it up, and their sum is the total."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounting import usage
from accounting.usage import Window
from accounts.models import Group, User
from quotas.vocabulary import Usage, core_hours
from sessions.adjustments import adjust
from sessions.models import Hub, Session
from tests import factories
from tests.accounting.visits import DAY, HOUR, NOW, records, text, visit

pytestmark = pytest.mark.django_db

MIDNIGHT = NOW - 8 * HOUR
WINDOWS = [(-3, -2), (-2, 0), (-1, 1), (0, 1), (-9, 9)]
FILTERS = [
    {"group": "transients"},
    {"group": "transients", "user": "bob"},
    {"user": "bob"},
    {"user": "-"},
    {"group": "-"},
    {"image": "lsst"},
    {"group": "transients", "size": "small", "hub": "demo"},
    {"state": "running"},
    {"state": "ended", "user": "bob"},
    {},
]


@pytest.fixture
def hub() -> Hub:
    return factories.hub()


@pytest.fixture(autouse=True)
def sessions(hub: Hub, bob: User, alice: User, transients: Group, galaxies: Group) -> None:
    """Sessions over midnights, long ones, running ones, one of nobody."""
    for number, (who, group) in enumerate(
        [(bob, transients), (bob, galaxies), (alice, transients), (None, None), (bob, transients)]
    ):
        begin = MIDNIGHT - number * DAY / 2 - 3 * HOUR
        factories.charged_session(
            hub, who, group, ready_at=begin, ended_at=begin + (7 + 20 * number) * HOUR,
            image="lsst" if number % 2 else "base", cpu_millicores=333 + number,
        )  # fmt: skip
    factories.charged_session(hub, bob, transients, ready_at=NOW - 30 * HOUR, ended_at=None)


def _shown(page: str) -> Decimal:
    found = re.search(r'id="sum".*?<data value="([^"]+)"', page, re.DOTALL)
    assert found
    return Decimal(found[1])


def _days(window: tuple[int, int]) -> dict[str, Any]:
    first, past = ((MIDNIGHT + day * DAY).date() for day in window)
    return {"first": first, "last": past - (DAY if past > first else 0 * DAY)}


@pytest.mark.parametrize("window", WINDOWS)
def test_the_sum_of_the_list_is_the_sum_of_its_rows(dora: User, window: tuple[int, int]) -> None:
    for wish in FILTERS:
        asked: dict[str, Any] = {**wish, **_days(window)}
        rows = records(dora, "/sessions/list.csv", **asked)

        listed = sum((Decimal(row["core_hours"]) for row in rows), Decimal())
        assert abs(_shown(text(dora, "/sessions/", **asked)) - listed) <= len(rows) * Decimal(
            "0.0000005"
        ), (wish, window)


@pytest.mark.parametrize("window", WINDOWS)
def test_the_sum_of_the_list_is_the_total_that_led_to_it(
    dora: User, bob: User, transients: Group, window: tuple[int, int]
) -> None:
    days = _days(window)
    span = Window(MIDNIGHT + window[0] * DAY, MIDNIGHT + window[1] * DAY, NOW)
    totals = {
        "": usage.total(span),
        "transients": usage.total(span, group=transients),
        "-": next((row.usage for row in usage.by_group(span) if not row.group), Usage()),
    }

    for group, total in totals.items():
        shown = _shown(text(dora, "/sessions/", group=group, **days))
        assert shown == core_hours(total.millicore_seconds)


def test_an_adjusted_session_is_in_the_lists_of_both_groups(
    hub: Hub, bob: User, dora: User, transients: Group, galaxies: Group
) -> None:
    session = Session.objects.filter(group=transients, ended_at__isnull=False).earliest("pk")
    adjust(
        session, author=dora, reason="for galaxies", at=NOW, group=galaxies,
        ended_at=MIDNIGHT + 5 * HOUR,
    )  # fmt: skip

    for group in (transients, galaxies):
        asked = {"group": group.name, **_days((-9, 9))}
        rows = {row["session"]: row for row in records(dora, "/sessions/list.csv", **asked)}
        total = usage.total(Window(MIDNIGHT - 9 * DAY, MIDNIGHT + 9 * DAY, NOW), group=group)
        assert _shown(text(dora, "/sessions/", **asked)) == total.core_hours
        assert sum(Decimal(row["core_hours"]) for row in rows.values()) == pytest.approx(
            total.core_hours, abs=Decimal("0.00001")
        )
        assert (Decimal(rows[str(session.number)]["core_hours"]) > 0) == (group == galaxies)


def test_alice_opens_what_her_group_pays_for_and_bob_only_his_own(
    alice: User, bob: User, charlie: User
) -> None:
    of_bob: dict[str, Any] = {"group": "transients", "user": "bob"}

    assert len(records(alice, "/sessions/list.csv", **of_bob, **_days((-9, 9)))) == 3
    assert len(records(bob, "/sessions/list.csv", **_days((-9, 9)))) == 4
    assert records(charlie, "/sessions/list.csv", group="transients", **_days((-9, 9))) == []
    assert visit(charlie, "/sessions/", **of_bob).status_code == 404
    assert visit(alice, "/sessions/", user="bob").status_code == 404


def test_each_page_of_totals_leads_to_its_sessions(alice: User, bob: User, dora: User) -> None:
    days = _days((-9, 1))
    window = f"first={days['first']}&amp;last={days['last']}"

    group = text(alice, "/groups/transients/", **days)
    assert f"/sessions/?group=transients&amp;{window}" in group
    assert f"/sessions/?group=transients&amp;user=bob&amp;{window}" in group
    assert f"/sessions/?group=transients&amp;{window}" in text(dora, "/overview/", **days)
    assert f"/sessions/?user=bob&amp;group=galaxies&amp;{window}" in text(bob, "/my/", **days)


def test_the_list_costs_the_same_however_many_sessions_there_are(
    hub: Hub, bob: User, dora: User, transients: Group,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:  # fmt: skip
    text(dora, "/sessions/", group="transients")
    with CaptureQueriesContext(connection) as few:
        text(dora, "/sessions/", group="transients")
    for number in range(40):
        factories.charged_session(hub, bob, transients, ready_at=NOW - number * HOUR)

    with django_assert_num_queries(len(few)):
        text(dora, "/sessions/", group="transients")
