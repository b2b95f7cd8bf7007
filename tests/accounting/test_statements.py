"""A closed period is stated once and for ever; what changes later is corrected by the next."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import InternalError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting import rollups
from accounting.models import Statement, StatementLine
from accounting.statements.closing import ClosingRefused, close_period
from accounting.statements.content import due
from quotas.models import AllocationPeriod
from sessions.adjustments import AdjustmentRefused, adjust, undo
from sessions.models import Alert, Session
from tests import factories
from tests.cast import Cast, make_cast
from tests.sessions.events.sender import START, Sender

HOUR = 3_600_000
AT = START + timedelta(days=800)


@pytest.fixture
def cast(db: None) -> Cast:
    """Dora among them, whom the other tests of usage do without."""
    return make_cast()


@pytest.fixture
def sender(cast: Cast) -> Sender:
    return Sender(cast.hub)


def months() -> list[AllocationPeriod]:
    """The month of the session, and the two after it."""
    first = START.date().replace(day=1)
    starts = [first, *(_later(first, count) for count in (1, 2, 3))]
    return [
        factories.period(start, end, f"Month {number}")
        for number, (start, end) in enumerate(pairwise(starts), start=1)
    ]


def _later(day: date, count: int) -> date:
    month = day.month - 1 + count
    return day.replace(year=day.year + month // 12, month=month % 12 + 1)


def told(sender: Sender) -> Session:
    """An hour of Bob's, for transients, on one CPU."""
    asked = sender.requested(0, 1, "bob", group="transients")
    sender.take_in([asked, sender.ready(20, 1, "bob"), sender.stopped(3620, 1, "bob")])
    rollups.refresh()
    return Session.objects.get()


def close(period: AllocationPeriod, at: datetime = AT) -> Statement:
    rollups.refresh()
    return close_period(period, author=None, at=at)


def lines(statement: Statement) -> list[tuple[str, str, str, int, int]]:
    found = statement.lines.select_related("user").order_by("kind", "group_name")
    return [
        (
            line.kind,
            line.group_name,
            line.user.username if line.user else "",
            line.millicore_seconds,
            line.sessions,
        )
        for line in found
    ]


def run_audit() -> str:
    out = StringIO()
    call_command("audit_usage", stdout=out)
    return out.getvalue()


def test_a_statement_has_groups_and_people_with_exact_sums(cast: Cast, sender: Sender) -> None:
    told(sender)
    statement = close(months()[0])
    assert lines(statement) == [
        ("group", "transients", "", HOUR, 1),
        ("person", "transients", "bob", HOUR, 1),
    ]
    assert statement.lines.get(kind="person").role == "member"
    assert "1 statements" in run_audit()


def test_the_period_must_be_over_and_closed_once_and_in_order(cast: Cast) -> None:
    first, second, _ = months()
    with pytest.raises(ClosingRefused, match="runs until"):
        close(first, at=first.ends_at - timedelta(seconds=1))
    with pytest.raises(ClosingRefused, match="Month 1 ended before and is not closed"):
        close(second)
    close(first)
    with pytest.raises(ClosingRefused, match="closed already"):
        close(first)


def test_stale_days_open_alerts_and_silent_hubs_stand_against_it(
    cast: Cast, sender: Sender
) -> None:
    period = months()[0]
    sender.take_in([sender.requested(0, 1, "bob", group="transients"), sender.ready(20, 1, "bob")])
    asked = sender.requested(0, 2, "alice", group="transients")
    sender.take_in([asked, sender.ready(20, 2, "alice"), sender.stopped(60, 2, "alice")])
    Alert.objects.create(hub=cast.hub, kind="conflict", subject="evt_1", raised_at=START)
    with pytest.raises(ClosingRefused) as refused:
        close_period(period, author=None, at=AT)
    stale, alert, silent = refused.value.obstacles
    assert "being summed again" in stale
    assert "1 alerts" in alert
    assert "The hub demo has said nothing" in silent
    assert not Statement.objects.exists()


def test_a_later_correction_goes_to_the_next_statement(cast: Cast, sender: Sender) -> None:
    session = told(sender)
    first, second, _ = months()
    stated = close(first)
    before = lines(stated)
    adjust(session, author=cast.dora, reason="a mail", at=AT, group=cast.galaxies)
    run_audit()
    assert lines(close(second)) == [
        ("correction", "galaxies", "bob", HOUR, 1),
        ("correction", "transients", "bob", -HOUR, -1),
    ]
    assert lines(stated) == before
    assert not due(stated, at=AT)
    run_audit()


def test_each_statement_continues_the_one_before(cast: Cast) -> None:
    first, second, _ = months()
    one, two = close(first), close(second)
    assert (one.previous_hash, two.previous_hash) == ("", one.hash)


@pytest.mark.parametrize("model", [Statement, StatementLine])
def test_the_database_refuses_to_change_or_delete_it(
    cast: Cast, sender: Sender, model: type[Statement] | type[StatementLine]
) -> None:
    told(sender)
    close(months()[0])
    values: dict[str, Any] = {"title": "Other"} if model is Statement else {"sessions": 7}
    with pytest.raises(InternalError, match="never changed"), transaction.atomic():
        model.objects.update(**values)
    with pytest.raises(InternalError, match="never changed"), transaction.atomic():
        model.objects.all()._raw_delete(model.objects.db)


def _tamper(statement: str) -> None:
    """Change what the triggers would protect."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("statement", "statementline"):
            cursor.execute(f"ALTER TABLE accounting_{table} DISABLE TRIGGER USER")
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE accounting_statement SET title = 'Other' WHERE number = 1", "what was hashed"),
        ("UPDATE accounting_statementline SET sessions = 7", "what was hashed"),
        (
            "UPDATE accounting_statementline SET sessions = 7 WHERE kind = 'group'",
            "statement 1 \\(Month 1\\), group transients",
        ),
        ("UPDATE accounting_statement SET previous_hash = 'x' WHERE number = 2", "continues"),
    ],
)
def test_the_audit_finds_what_was_tampered_with(
    cast: Cast, sender: Sender, tampering: str, found: str
) -> None:
    told(sender)
    first, second, _ = months()
    close(first)
    close(second)
    _tamper(tampering)
    with pytest.raises(CommandError, match=found):
        run_audit()


moves = st.lists(
    st.tuples(st.sampled_from(["transients", "galaxies", "undo", "close"]), st.integers(1, 90)),
    max_size=6,
)


@given(story=moves)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.django_db
def test_stated_and_corrected_is_the_ledger_whatever_is_adjusted(
    story: list[tuple[str, int]],
) -> None:
    with transaction.atomic():
        cast = make_cast()
        session = told(Sender(cast.hub))
        waiting = months()
        first = close(waiting.pop(0))
        for name, minutes in story:
            if name == "close" and waiting:
                close(waiting.pop(0))
                assert not due(first, at=AT)
            else:
                _step(session, cast, name, minutes)
        run_audit()
        transaction.set_rollback(True)


def _step(session: Session, cast: Cast, name: str, minutes: int) -> None:
    groups = {"transients": cast.transients, "galaxies": cast.galaxies}
    ready = session.ready_at
    assert ready is not None
    try:
        if name in groups:
            adjust(
                session,
                author=cast.dora,
                reason="a mail",
                at=AT,
                group=groups[name],
                ended_at=ready + timedelta(minutes=minutes),
            )
        else:
            undo(session, author=cast.dora, reason="a mistake", at=AT)
    except AdjustmentRefused:
        pass


def test_a_pi_sees_the_part_of_her_group_and_an_outsider_nothing(
    cast: Cast, sender: Sender, client: Client
) -> None:
    told(sender)
    factories.charged_session(
        cast.hub, cast.charlie, cast.solar_system, ready_at=START, server="other"
    )
    statement = close(months()[0])
    address = reverse("statement", args=[statement.pk])
    client.force_login(cast.alice)
    page = client.get(address).content.decode()
    assert "bob" in page
    assert cast.solar_system.title not in page
    file = b"".join(client.get(reverse("statement_csv", args=[statement.pk])))
    assert file.decode().splitlines()[1:] == [
        f"1,Month 1,group,Month 1,transients,{cast.transients.title},,,1.000000,3600000,"
        "7372800,0,1",
        f"1,Month 1,person,Month 1,transients,{cast.transients.title},bob,member,1.000000,3600000,"
        "7372800,0,1",
    ]
    client.force_login(cast.charlie)
    assert client.get(address).status_code == 404


def test_a_statement_costs_the_same_however_many_lines_it_has(cast: Cast, client: Client) -> None:
    client.force_login(cast.dora)
    costs = []
    for period in months()[:2]:
        for _ in range(4):
            user, group = factories.user(), factories.group()
            factories.charged_session(cast.hub, user, group, ready_at=period.starts_at)
        statement = close(period)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("statement", args=[statement.pk])).status_code == 200
        costs.append(len(queries))
    assert costs[0] == costs[1]


def test_an_administrator_closes_a_period(cast: Cast, client: Client) -> None:
    period = months()[0]
    address = reverse("admin:accounting_statement_close")
    client.force_login(factories.user("gus", is_staff=True))
    assert client.get(address).status_code == 403
    client.force_login(cast.dora)
    assert "Close Month 1" in client.get(address).content.decode()
    client.post(address, {"period": period.pk})
    assert Statement.objects.get().author == cast.dora


def test_the_command_closes_a_period_or_says_why_not(cast: Cast) -> None:
    months()
    with pytest.raises(CommandError, match="There is no allocation period"):
        call_command("close_period", "2020")
    out = StringIO()
    call_command("close_period", "Month 1", stdout=out)
    assert out.getvalue().startswith("Closed as statement 1, hash ")
    with pytest.raises(CommandError, match="closed already"):
        call_command("close_period", "Month 1")
