"""The pages on which somebody asks to move a session, and on which a PI decides."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounting import usage
from accounting.statements.closing import close_period
from accounting.usage import Window
from accounts.models import Group, User
from quotas import requests as quota_requests
from sessions.adjustments import adjust
from sessions.models import Reattribution, Session
from sessions.reattributing import requests
from tests import factories
from tests.accounting.visits import DAY, HOUR, NOW, records, rows, text, visit
from tests.cast import Cast, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def gina(cast: Cast) -> User:
    """The PI of galaxies."""
    pi = factories.user("gina")
    factories.membership(pi, cast.galaxies, "pi")
    return pi


@pytest.fixture
def session(cast: Cast) -> Session:
    return bobs(cast, 0)


def bobs(cast: Cast, number: int) -> Session:
    """Two hours of Bob's on one CPU, for transients."""
    ready_at = NOW - 2 * DAY - number * 3 * HOUR
    return factories.charged_session(
        cast.hub, cast.bob, cast.transients, ready_at=ready_at, ended_at=ready_at + 2 * HOUR
    )


def asked(cast: Cast, session: Session) -> Reattribution:
    return requests.ask(session, to=cast.galaxies, reason="For the paper", by=cast.bob, at=NOW)


def correct(cast: Cast, session: Session, length: timedelta) -> None:
    """Dora books that it ended so long after it was ready."""
    assert session.ready_at is not None
    ended_at = session.ready_at + length
    adjust(session, author=cast.dora, reason="a mail", at=NOW, ended_at=ended_at)


def send(who: User, path: str, **data: Any) -> Any:
    with time_machine.travel(NOW, tick=False):
        client = Client()
        client.force_login(who)
        return client.post(path, data)


def page_of(row: Reattribution) -> str:
    return f"/requests/sessions/{row.pk}/"


def test_bob_asks_on_the_page_of_his_session_and_gina_accepts(
    cast: Cast, gina: User, session: Session
) -> None:
    path = f"/sessions/{session.number}/"
    assert f"{path}move/" in text(cast.bob, path)
    ask = text(cast.bob, f"{path}move/")
    assert "2.00 core-hours to Galaxies" in ask
    answer = send(cast.bob, f"{path}move/", to="galaxies", reason="For the paper")
    row = Reattribution.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page_of(row))
    assert "Requests <span" in text(gina, "/my/")
    assert "For the paper" in text(gina, page_of(row))
    assert rows(gina, "/requests/", "moves-table")[0][0] == str(session.number)
    assert send(gina, page_of(row), action="accept", answer="Ours").status_code == 302
    assert "Requests <span" not in text(gina, "/my/")
    page = text(cast.bob, path)
    assert "charged to Galaxies; at first to Transients" in page
    assert "Request 1 of Bob" in page.replace(f"Request {row.pk} of Bob", "Request 1 of Bob")
    assert "Accepted" in text(cast.alice, page_of(row))


def test_it_is_said_that_a_closed_period_shows_it_in_the_next_statement(
    cast: Cast, gina: User, session: Session
) -> None:
    assert session.ready_at is not None
    day = session.ready_at.date()
    period = factories.period(date(2026, 1, 1), day + DAY)
    call_command("rebuild_usage", stdout=StringIO())
    with time_machine.travel(NOW, tick=False):
        close_period(period, author=None, at=NOW)
        row = asked(cast, session)
    assert "it goes into the next statement" in text(gina, page_of(row))


def test_gina_is_warned_before_her_hard_quota_is_passed(
    cast: Cast, gina: User, session: Session
) -> None:
    factories.quota(cast.galaxies, factories.period(date(2026, 1, 1), date(2027, 1, 1)), "1")
    row = asked(cast, session)
    page = text(gina, page_of(row))
    assert "beyond the hard quota" in page
    assert "Accept even beyond the hard quota" in page
    refused = send(gina, page_of(row), action="accept", answer="")
    assert (refused.status_code, b"goes beyond the hard quota" in refused.content) == (409, True)
    assert send(gina, page_of(row), action="accept", beyond_quota="on").status_code == 302


def test_who_declines_says_why_and_who_asked_may_withdraw(
    cast: Cast, gina: User, session: Session
) -> None:
    row = asked(cast, session)
    assert send(gina, page_of(row), action="decline", answer=" ").status_code == 409
    assert send(gina, page_of(row), action="explode").status_code == 404
    assert send(cast.bob, page_of(row), action="accept").status_code == 409
    assert send(cast.bob, page_of(row), action="withdraw").status_code == 302
    late = send(gina, page_of(row), action="decline", answer="No")
    assert (late.status_code, b"withdrawn meanwhile" in late.content) == (409, True)


def test_it_is_said_why_a_group_cannot_pay(cast: Cast, session: Session) -> None:
    path = f"/sessions/{session.number}/move/"
    factories.membership(cast.bob, factories.group("quasars"), valid_from=NOW)
    page = text(cast.bob, path)
    assert "The membership began on 2026-05-01, after the session." in page
    for to in ("quasars", "nowhere", ""):
        assert send(cast.bob, path, to=to, reason="So").status_code == 400
    assert send(cast.bob, path, to="galaxies", reason="").status_code == 400
    assert not Reattribution.objects.exists()


def test_nobody_reads_the_quota_of_a_group_of_others(
    cast: Cast, gina: User, session: Session
) -> None:
    """Who decides sees the group that is to pay, who leads the other one sees that."""
    period = factories.period(date(2026, 1, 1), date(2027, 1, 1))
    factories.quota(cast.transients, period, "111")
    factories.quota(cast.galaxies, period, "222")
    path, row = f"/sessions/{session.number}/move/", asked(cast, session)
    for who, page, seen in (
        (cast.alice, path, {"111"}),
        (cast.alice, page_of(row), {"111"}),
        (gina, page_of(row), {"222"}),
        (cast.bob, page_of(row), {"111", "222"}),
        (cast.bob, path, {"111", "222"}),
        (cast.dora, page_of(row), {"111", "222"}),
    ):
        found = text(who, page)
        assert {hours for hours in ("111", "222") if f"{hours}.00" in found} == seen
        assert "2.00 core-hours to Galaxies" in found


def test_who_leads_the_group_does_not_read_where_else_the_person_was(
    cast: Cast, session: Session
) -> None:
    path = f"/sessions/{session.number}/move/"
    factories.membership(cast.bob, factories.group("quasars"), valid_from=NOW)
    assert "Quasars" in text(cast.bob, path)
    assert "Quasars" in text(cast.dora, path)
    assert "Quasars" not in text(cast.alice, path)


def test_a_quota_that_fills_up_while_she_asks_is_said_on_the_form(
    cast: Cast, gina: User, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is seen to fit, and does not fit any more when the group is locked."""
    factories.quota(cast.galaxies, factories.period(date(2026, 1, 1), date(2027, 1, 1)), "1")
    monkeypatch.setattr(requests, "_decides_by_asking", lambda *_, **__: True)
    answer = send(cast.dora, f"/sessions/{session.number}/move/", to="galaxies", reason="So")
    assert (answer.status_code, b"goes beyond the hard quota" in answer.content) == (400, True)
    assert not Reattribution.objects.exists()


def test_others_find_neither_the_form_nor_the_request(
    cast: Cast, gina: User, session: Session
) -> None:
    path, row = f"/sessions/{session.number}/move/", asked(cast, session)
    assert visit(cast.charlie, path).status_code == 404
    assert visit(cast.charlie, page_of(row)).status_code == 404
    assert visit(cast.dora, path).status_code == 200
    assert "Nothing waits for you" in text(cast.charlie, "/requests/")
    assert "Nothing waits for you" in text(cast.bob, "/requests/")
    assert str(session.number) in text(cast.bob, "/requests/", show="all")


def test_offers_wait_on_the_same_page(cast: Cast) -> None:
    period = factories.period(date(2026, 1, 1), date(2027, 1, 1))
    row = quota_requests.ask(
        group=cast.transients, period=period, kind="hours", amount=Decimal(5), reason="More",
        facts={}, by=cast.alice, at=NOW,
    )  # fmt: skip
    assert "Requests <span" not in text(cast.alice, "/my/")
    assert "Requests <span" in text(cast.dora, "/my/")
    quota_requests.counter(row, by=cast.dora, amount=Decimal(1), answer="Less", at=NOW)
    assert "Requests <span" in text(cast.alice, "/my/")
    assert "Requests <span" not in text(cast.dora, "/my/")
    assert "your turn" in text(cast.alice, "/requests/")


@pytest.mark.parametrize("path", ["/requests/?show=all", "/requests/"])
def test_the_list_pages_and_costs_the_same_for_many(
    cast: Cast, gina: User, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    asked(cast, bobs(cast, 0))
    text(gina, path)
    with CaptureQueriesContext(connection) as few:
        text(gina, path)
    for number in range(1, 30):
        asked(cast, bobs(cast, number))
    with django_assert_num_queries(len(few)):
        assert "Page 1 of 2" in text(gina, path)


def totals_and_lists(who: User, group: Group) -> tuple[Decimal, ...]:
    """The group's total, and the sums of its page, its file and the list behind the total."""
    span: dict[str, Any] = {"first": (NOW - 9 * DAY).date(), "last": NOW.date()}
    window = Window(NOW.replace(hour=0) - 9 * DAY, NOW.replace(hour=0) + DAY, NOW)
    total = usage.total(window, group=group).core_hours
    page = rows(who, f"/groups/{group.name}/", "sessions", **span)
    files = (f"/groups/{group.name}/sessions.csv", "/sessions/list.csv")
    found = [records(who, file, group=group.name, **span) for file in files]
    listed = [sum((Decimal(row["core_hours"]) for row in lines), Decimal()) for lines in found]
    shown = sum((Decimal(row[-1].split()[0].replace(",", "")) for row in page), Decimal())
    return total, shown, *listed


def test_the_lists_of_both_groups_add_up_to_their_totals_after_corrections(
    cast: Cast, gina: User
) -> None:
    moved, shortened, kept = (bobs(cast, number) for number in range(3))
    requests.accept(asked(cast, moved), by=gina, answer="", at=NOW)
    correct(cast, shortened, HOUR)
    requests.accept(asked(cast, shortened), by=gina, answer="", at=NOW)
    correct(cast, kept, HOUR / 2)
    assert set(totals_and_lists(cast.dora, cast.transients)) == {Decimal("0.5")}
    assert set(totals_and_lists(cast.dora, cast.galaxies)) == {Decimal(3)}
    page = text(gina, "/groups/galaxies/")
    assert page.count("moved from Transients to Galaxies") == 2
    assert "its times were corrected" in text(cast.alice, "/groups/transients/")
    explained = text(gina, f"/sessions/{shortened.number}/")
    assert "= 3,600,000 millicore-seconds = 1.000000 core-hours" in explained


def test_a_group_page_costs_the_same_with_many_corrections(
    cast: Cast, gina: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    requests.accept(asked(cast, bobs(cast, 0)), by=gina, answer="", at=NOW)
    text(gina, "/groups/galaxies/")
    with CaptureQueriesContext(connection) as few:
        text(gina, "/groups/galaxies/")
    for number in range(1, 9):
        requests.accept(asked(cast, bobs(cast, number)), by=gina, answer="", at=NOW)
    with django_assert_num_queries(len(few)):
        text(gina, "/groups/galaxies/")
