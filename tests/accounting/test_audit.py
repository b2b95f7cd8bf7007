"""The audit passes on whatever hubs tell, and finds whatever was changed behind its back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting import rollups
from accounting.models import ExportMark, ExportRun, GroupDay, Kind, KindDay, UserDay
from sessions.models import Charge, Session, StaleDay
from tests.accounting.rows import EPOCH
from tests.sessions.events.conftest import make_people
from tests.sessions.events.sender import Sender, make_sender
from tests.sessions.events.test_any_order import in_pieces, stories, told

pytestmark = pytest.mark.django_db


def run_audit() -> str:
    out = StringIO()
    call_command("audit_usage", stdout=out)
    return out.getvalue()


@pytest.fixture
def sender(db: None) -> Sender:
    make_people()
    return make_sender()


@pytest.fixture
def told_and_exported(sender: Sender, tmp_path: Path) -> Sender:
    """Two sessions of Bob, one after the other, a running one, one nobody pays for; an export."""
    sender.take_in(
        [
            sender.requested(0, 1),
            sender.ready(20, 1),
            sender.stopped(90_020, 1),
            sender.requested(100_000, 2),
            sender.ready(100_010, 2),
            sender.ready(100_500, 3, server="second"),
            sender.requested(200_000, 4),
            sender.ready(200_001, 4),
            sender.requested(0, 5, user="nobody"),
            sender.ready(1, 5, user="nobody"),
            sender.stopped(11, 5, user="nobody"),
        ]
    )
    rollups.refresh()
    call_command("export_xdmod", "--hub=demo", f"--output={tmp_path}", stdout=StringIO())
    return sender


@pytest.mark.usefixtures("told_and_exported")
def test_what_agrees_is_said_in_one_line() -> None:
    said = run_audit()
    assert said.startswith("All agree: 5 sessions, 4 charges, ")
    assert "2 sessions exported with 189990.000 core-seconds" in said
    assert said.count("\n") == 1


@given(story=st.lists(stories(), min_size=1, max_size=25), random=st.randoms(use_true_random=False))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_story_passes(story: list[tuple[str, Any]], random: Random) -> None:
    with transaction.atomic():
        make_people()
        sender = make_sender()
        for piece in in_pieces(told(sender, story), random):
            sender.take_in(piece)
        run_audit()
        transaction.set_rollback(True)


def test_stale_days_are_brought_up_to_date_first(sender: Sender) -> None:
    sender.take_in([sender.requested(0), sender.ready(1), sender.stopped(3601)])
    assert StaleDay.objects.exists()
    run_audit()
    assert not StaleDay.objects.exists()
    assert GroupDay.objects.get().millicore_seconds == 3_600_000


def _later_end(session: Session) -> None:
    second = timedelta(seconds=1)
    Session.objects.filter(pk=session.pk).update(ended_at=F("ended_at") + second)


def _other_rate(session: Session) -> None:
    Charge.objects.filter(session=session).update(cpu_millicores=1001)


def _lost_charge(session: Session) -> None:
    Charge.objects.filter(session=session).delete()


def _longer_day(session: Session) -> None:
    UserDay.objects.filter(day=EPOCH.date()).update(millicore_seconds=1)


def _missing_day(session: Session) -> None:
    UserDay.objects.filter(day=EPOCH.date()).delete()


def _invented_day(session: Session) -> None:
    UserDay.objects.create(
        day="2020-01-01", group=session.group, kind=Kind.objects.all()[0], millicore_seconds=5
    )


def _group_day(session: Session) -> None:
    GroupDay.objects.filter(day=EPOCH.date()).update(gpu_seconds=7)


def _kind_day(session: Session) -> None:
    KindDay.objects.filter(day=EPOCH.date()).update(gpu_seconds=7)


def _kind(session: Session) -> None:
    Kind.objects.update(image="another")


def _line(session: Session) -> None:
    ExportMark.objects.filter(session=session).update(user_name="alice")


def _job_id(session: Session) -> None:
    ExportMark.objects.filter(session=session).update(job_id=900)


def _cpus(session: Session) -> None:
    ExportMark.objects.filter(session=session).update(cpus=64)


def _run(session: Session) -> None:
    ExportRun.objects.update(summary={"exact_millicore_seconds": 1, "exported_core_seconds": 1})


def _inferred_end(session: Session) -> None:
    running = Session.objects.filter(ended_at=None).latest("pk")
    absent = running.ready_at + timedelta(minutes=5) if running.ready_at else None
    Session.objects.filter(pk=running.pk).update(
        absent_at=absent, ended_at=absent, end_source="snapshot"
    )


@pytest.mark.usefixtures("told_and_exported")
@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (_later_end, "records follow from events"),
        (_inferred_end, "inferred ends follow from snapshots"),
        (_other_rate, "charges follow from records"),
        (_lost_charge, "charges follow from records"),
        (_longer_day, "days of people are the sum of their charges"),
        (_missing_day, "days of people are the sum of their charges"),
        (_invented_day, "days of people are the sum of their charges"),
        (_group_day, "days of groups are the sum of those of people"),
        (_kind_day, "days of kinds are the sum of those of people"),
        (_kind, "days of people are the sum of their charges"),
        (_line, "published lines are what was marked"),
        (_job_id, "export runs are the sum of their marks"),
        (_cpus, "marks are of sessions of their hub, with whole CPUs"),
        (_run, "export runs are the sum of their marks"),
    ],
)
def test_what_was_changed_by_hand_is_found(tamper: Callable[[Session], None], found: str) -> None:
    session = Session.objects.filter(user__isnull=False).order_by("ready_at")[0]
    tamper(session)
    with pytest.raises(CommandError, match=f"Not so: {found}. First, ") as error:
        run_audit()
    assert len(str(error.value).splitlines()) == 1


def test_a_record_without_events_is_found(sender: Sender) -> None:
    session = Session.objects.create(hub=sender.hub, ready_at="2026-05-01T00:00:00Z")
    with pytest.raises(CommandError, match=f"session {session.number} "):
        run_audit()


@pytest.mark.django_db(transaction=True)
def test_all_is_read_under_one_snapshot() -> None:
    make_people()
    sender = make_sender()
    sender.take_in([sender.requested(0), sender.ready(1), sender.stopped(3601)])
    with CaptureQueriesContext(connection) as queries:
        run_audit()
    assert any("REPEATABLE READ, READ ONLY" in query["sql"] for query in queries)
