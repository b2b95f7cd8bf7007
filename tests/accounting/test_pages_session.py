"""The page of one session: from its evidence to its core-hours."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounts.models import Group, User
from sessions.models import Charge, Hub, Session
from tests import factories
from tests.accounting.visits import DAY, HOUR, NOW, rows, text, visit
from tests.sessions.events.sender import START, key, make_sender

pytestmark = pytest.mark.django_db


@pytest.fixture
def hub() -> Hub:
    return factories.hub()


TIMES = "\N{MULTIPLICATION SIGN}"


def _formula(page: str) -> str:
    found = re.search(r'<p id="formula">(.*?)</p>', page, re.DOTALL)
    assert found
    return unescape(found[1])


def _page(session: Session) -> str:
    return f"/sessions/{session.number}/"


def test_bob_alice_and_dora_see_bobs_session_and_others_do_not(
    hub: Hub, bob: User, alice: User, charlie: User, dora: User, transients: Group
) -> None:
    session = factories.charged_session(hub, bob, transients)

    seen = {
        who.username: visit(who, _page(session)).status_code for who in (bob, alice, charlie, dora)
    }

    assert seen == {"bob": 200, "alice": 200, "charlie": 404, "dora": 200}
    assert visit(dora, "/sessions/999999/").status_code == 404
    assert visit(None, _page(session)).status_code == 302


def test_what_nobody_pays_for_is_seen_by_administrators_alone(
    hub: Hub, alice: User, dora: User
) -> None:
    session = factories.charged_session(hub, None, None)

    assert visit(alice, _page(session)).status_code == 404
    assert visit(dora, _page(session)).status_code == 200


def test_the_formula_has_the_numbers_of_the_session(hub: Hub, bob: User, transients: Group) -> None:
    session = factories.charged_session(
        hub, bob, transients, ready_at=NOW - DAY, ended_at=NOW - DAY + 1.5 * HOUR,
        cpu_millicores=500,
    )  # fmt: skip

    assert _formula(text(bob, _page(session))) == (
        f"5,400 s {TIMES} 500 millicores = 2,700,000 millicore-seconds = 0.750000 core-hours"
    )


def test_a_running_session_counts_up_to_now_and_says_so(
    hub: Hub, bob: User, transients: Group
) -> None:
    session = factories.charged_session(hub, bob, transients, ready_at=NOW - HOUR, ended_at=None)

    page = text(bob, _page(session))

    assert "It still runs: counted up to" in page
    assert _formula(page).startswith(f"3,600 s {TIMES} 1,000 millicores")


def test_days_and_periods_are_split_at_their_borders_and_add_up(
    hub: Hub, bob: User, transients: Group
) -> None:
    factories.period(date(2026, 1, 1), date(2026, 4, 1), "winter")
    factories.period(date(2026, 4, 1), date(2026, 7, 1), "spring")
    ready = datetime(2026, 3, 31, 22, tzinfo=UTC)
    session = factories.charged_session(
        hub, bob, transients, ready_at=ready, ended_at=ready + 5 * HOUR
    )

    periods, days = (rows(bob, _page(session), table) for table in ("periods", "days"))

    assert [(row[0], row[2]) for row in periods] == [("winter", "2.000000"), ("spring", "3.000000")]
    assert [(row[0], row[2]) for row in days] == [
        ("2026-03-31", "2.000000"),
        ("2026-04-01", "3.000000"),
    ]


def test_time_outside_of_every_period_has_a_line_of_its_own(
    hub: Hub, bob: User, transients: Group
) -> None:
    factories.period(date(2026, 4, 1), date(2026, 5, 1), "april")
    ready = datetime(2026, 3, 31, 23, tzinfo=UTC)
    session = factories.charged_session(
        hub, bob, transients, ready_at=ready, ended_at=ready + 2 * HOUR
    )

    periods = rows(bob, _page(session), "periods")

    assert [row[0] for row in periods] == ["Before april, in no period", "april"]


def test_what_an_adjustment_takes_back_is_subtracted(
    hub: Hub, bob: User, transients: Group
) -> None:
    session = factories.charged_session(hub, bob, transients, ready_at=NOW - DAY)
    charge = session.charges.get()
    Charge.objects.create(
        session=session, user=bob, group=transients, started_at=charge.started_at,
        ended_at=charge.ended_at, cpu_millicores=1000, sign=-1, origin="adjustment",
    )  # fmt: skip

    page = text(bob, _page(session))

    assert _formula(page).endswith("= 0 millicore-seconds = 0.000000 core-hours")
    assert [row[0] for row in rows(bob, _page(session), "charges")] == ["notebook", "adjustment"]


def test_a_session_that_was_never_ready_is_free(hub: Hub, bob: User, transients: Group) -> None:
    session = factories.session(hub, bob, transients, ready_at=None, requested_at=NOW - HOUR)

    assert "Nothing is charged" in text(bob, _page(session))


def test_each_event_says_whether_it_counts_and_why(
    alice: User, bob: User, dora: User, transients: Group
) -> None:
    sender = make_sender()
    sender.take_in(
        [
            sender.requested(0),
            sender.ready(60),
            sender.ready(90),
            sender.stopped(30),
            sender.stopped(3660, reason="culled"),
        ]
    )
    session = Session.objects.get(key=key(1))

    page = text(dora, _page(session), at=START + DAY)

    told = re.findall(r"This event (counts|does not count)\.</strong> ([^<]*?)\s*</p>", page)
    assert told == [
        ("counts", "It is the earliest and gives the time requested, and what was asked for."),
        ("does not count", "It lies before the server was ready."),
        ("counts", "It is the earliest and gives the time ready."),
        (
            "does not count",
            "An earlier ready was reported (of one moment, the lowest event id counts).",
        ),
        ("counts", "It is the earliest end that is not before ready."),
    ]
    assert _formula(page).startswith("3,600 s")


def test_what_a_hub_wrote_is_escaped(dora: User) -> None:
    sender = make_sender()
    sender.take_in([sender.requested(0, user="<script>alert(1)</script>")])

    page = text(dora, _page(Session.objects.get(key=key(1))), at=START + DAY)

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_every_table_of_sessions_leads_to_the_page(hub: Hub, bob: User, transients: Group) -> None:
    session = factories.charged_session(hub, bob, transients, ready_at=NOW - HOUR)

    assert f'href="{_page(session)}"' in text(bob, "/my/")


def test_the_page_costs_the_same_with_one_charge_and_with_many(
    hub: Hub, bob: User, transients: Group, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    session = factories.charged_session(hub, bob, transients, ready_at=NOW - DAY)
    text(bob, _page(session))  # what is read once in a process
    with CaptureQueriesContext(connection) as few:
        text(bob, _page(session))

    for number in range(1, 30):
        factories.charge(session, origin="dask", cpu_millicores=number)

    with django_assert_num_queries(len(few)):
        text(bob, _page(session))
