"""What people correct is booked in pairs: nothing is edited, and everything still adds up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting import usage
from accounting.exports.manifest import core_seconds
from accounting.models import ExportMark
from accounting.usage import Window
from accounts.models import Group
from sessions.adjustments import AdjustmentRefused, adjust, propose, undo
from sessions.models import Adjustment, Charge, Session
from sessions.usage import EVER
from tests import factories
from tests.cast import Cast, make_cast
from tests.sessions.events.sender import Sender

HOUR = 3_600_000
MINUTE = timedelta(minutes=1)


@pytest.fixture
def sender(cast: Cast) -> Sender:
    return Sender(cast.hub)


@pytest.fixture
def session(sender: Sender) -> Session:
    """An hour of Bob's, for transients, on one CPU."""
    return told(sender)


def told(sender: Sender) -> Session:
    asked = sender.requested(0, 1, "bob", group="transients")
    sender.take_in([asked, sender.ready(20, 1, "bob"), sender.stopped(3620, 1, "bob")])
    return Session.objects.get()


def later(session: Session) -> datetime:
    return moment(session.ended_at) + timedelta(days=1)


def moment(value: datetime | None) -> datetime:
    assert value is not None
    return value


def used(at: datetime) -> dict[str, int]:
    rows = usage.by_group(Window(*EVER, at))
    found = {row.group.name if row.group else "": row.usage.millicore_seconds for row in rows}
    return {name: sums for name, sums in found.items() if sums}


def run_audit() -> str:
    out = StringIO()
    call_command("audit_usage", stdout=out)
    return out.getvalue()


def correct(session: Session, cast: Cast, **wanted: datetime | Group) -> list[Adjustment]:
    kept = {"author": cast.dora, "reason": "a mail of bob", "at": later(session)}
    return adjust(session, **kept, **wanted)  # type: ignore[arg-type]


def test_a_session_moves_to_another_group_of_the_person(cast: Cast, session: Session) -> None:
    said = propose(session, at=later(session), group=cast.galaxies).summary
    assert (
        said == f"1.00 core-hours move from transients to galaxies on {session.ready_at:%Y-%m-%d}."
    )
    before = Charge.objects.values().get()
    (made,) = correct(session, cast, group=cast.galaxies)
    assert used(later(session)) == {"galaxies": HOUR}
    assert (made.author, made.reason) == (cast.dora, "a mail of bob")
    assert Charge.objects.values().get(origin="notebook") == before
    run_audit()


def test_a_session_that_ended_earlier_costs_less(cast: Cast, session: Session) -> None:
    correct(session, cast, ended_at=moment(session.ready_at) + 15 * MINUTE)
    assert used(later(session)) == {"transients": HOUR // 4}
    run_audit()


def test_an_adjustment_is_undone_by_another(cast: Cast, session: Session) -> None:
    correct(session, cast, group=cast.galaxies)
    correct(session, cast, ended_at=moment(session.ready_at) + MINUTE)
    undo(session, author=cast.dora, reason="bob was wrong", at=later(session))
    assert used(later(session)) == {"transients": HOUR}
    assert Adjustment.objects.count() == 3
    run_audit()


def test_evidence_after_an_adjustment_is_met_by_the_next(
    cast: Cast, sender: Sender, session: Session
) -> None:
    correct(session, cast, ended_at=moment(session.ready_at) + 15 * MINUTE)
    sender.take_in([sender.stopped(1820, 1, "bob")])
    run_audit()
    undo_and_anew = correct(session, cast, ended_at=moment(session.ready_at) + 20 * MINUTE)
    assert len(undo_and_anew) == 2
    assert used(later(session)) == {"transients": HOUR // 3}
    run_audit()


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        ((10, 5), "The end must not be before the start."),
        ((-10, 60), "cannot be charged from before that"),
        ((0, 100_000), "must not be in the future"),
        ((0, 60), "is charged like this already"),
    ],
)
def test_times_that_cannot_be_are_refused(
    cast: Cast, session: Session, minutes: tuple[int, int], said: str
) -> None:
    start, end = (moment(session.ready_at) + number * MINUTE for number in minutes)
    with pytest.raises(AdjustmentRefused, match=said):
        correct(session, cast, started_at=start, ended_at=end)
    assert not Adjustment.objects.exists()


def test_a_group_that_the_person_was_no_member_of_does_not_pay(
    cast: Cast, session: Session
) -> None:
    with pytest.raises(AdjustmentRefused, match="bob was no member of solar-system on"):
        correct(session, cast, group=cast.solar_system)


def test_the_same_correction_is_not_booked_twice(cast: Cast, session: Session) -> None:
    correct(session, cast, group=cast.galaxies)
    with pytest.raises(AdjustmentRefused, match="already"):
        correct(session, cast, group=cast.galaxies)


def test_what_runs_or_costs_nothing_or_nobody_pays_for_is_refused(cast: Cast) -> None:
    running = factories.charged_session(cast.hub, cast.bob, cast.transients, ended_at=None)
    failed = factories.session(cast.hub, cast.bob, cast.transients, ready_at=None)
    unpaid = factories.charged_session(cast.hub, cast.bob, None, server="other")
    at = datetime(2026, 6, 1, tzinfo=UTC)
    for one, said in ((running, "has not ended"), (failed, "never became"), (unpaid, "attribute")):
        with pytest.raises(AdjustmentRefused, match=said):
            propose(one, at=at, group=cast.galaxies)


def test_a_reason_is_given(cast: Cast, session: Session) -> None:
    with pytest.raises(AdjustmentRefused, match="Say why"):
        adjust(session, author=cast.dora, reason=" ", at=later(session), group=cast.galaxies)


def test_what_was_exported_stays_and_the_difference_is_a_correction(
    cast: Cast, session: Session, tmp_path: Path
) -> None:
    call_command("export_xdmod", "--hub=demo", f"--output={tmp_path}", stdout=StringIO())
    published = ExportMark.objects.values().get()
    correct(session, cast, ended_at=moment(session.ready_at) + 15 * MINUTE)
    assert ExportMark.objects.values().get() == published
    assert f"{core_seconds(-HOUR * 3 // 4)} by corrections" in run_audit()


def test_the_audit_names_a_charge_without_its_pair(cast: Cast, session: Session) -> None:
    (made,) = correct(session, cast, group=cast.galaxies)
    made.delete()
    with pytest.raises(CommandError, match="is no such pair"):
        run_audit()


def test_the_audit_names_a_pair_that_does_not_continue_the_one_before(
    cast: Cast, session: Session
) -> None:
    correct(session, cast, group=cast.galaxies)
    (second,) = correct(session, cast, ended_at=moment(session.ready_at) + MINUTE)
    Charge.objects.filter(pk=second.taken_back_id).update(group=cast.transients)
    call_command("rebuild_usage", stdout=StringIO())
    with pytest.raises(CommandError, match=f"adjustment {second.pk} is no such pair"):
        run_audit()


moves = st.tuples(
    st.sampled_from(["transients", "galaxies", None, "undo"]),
    st.integers(0, 90),
    st.integers(0, 90),
    st.booleans(),
)


@given(story=st.lists(moves, max_size=6))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.django_db
def test_any_sequence_adds_up(story: list[tuple[str | None, int, int, bool]]) -> None:
    with transaction.atomic():
        cast = make_cast()
        sender = Sender(cast.hub)
        session = told(sender)
        for name, start, end, new_evidence in story:
            if new_evidence:
                sender.take_in([sender.stopped(3620 - end, 1, "bob")])
                session.refresh_from_db()
            step(session, cast, name, start, end)
        run_audit()
        transaction.set_rollback(True)


def step(session: Session, cast: Cast, name: str | None, start: int, end: int) -> None:
    """Correct the session; where that is accepted, exactly what was wanted is charged."""
    ready, at = moment(session.ready_at), later(session)
    groups = {"transients": cast.transients, "galaxies": cast.galaxies}
    try:
        if name == "undo":
            undo(session, author=cast.dora, reason="undo", at=at)
            evidence = Charge.objects.get(origin="notebook")
            seconds = moment(evidence.ended_at) - evidence.started_at
        else:
            times = {"started_at": ready + start * MINUTE, "ended_at": ready + end * MINUTE}
            correct(session, cast, **times, **({"group": groups[name]} if name else {}))
            seconds = (end - start) * MINUTE
    except AdjustmentRefused:
        return
    assert sum(used(at).values()) == int(seconds.total_seconds()) * 1000


def test_an_administrator_previews_and_confirms(
    cast: Cast, client: Client, session: Session
) -> None:
    client.force_login(cast.dora)
    page = reverse("admin:hub_sessions_session_change", args=[session.pk])
    address = reverse("admin:hub_sessions_session_adjust", args=[session.pk])
    assert address in client.get(page).content.decode()
    first = client.get(address).context["form"].initial
    wanted = {
        "group": "galaxies",
        "started_at": f"{first['started_at']:%Y-%m-%d %H:%M:%S}",
        "ended_at": f"{first['ended_at']:%Y-%m-%d %H:%M:%S}",
        "reason": "a mail of bob",
    }
    preview = client.post(address, wanted)
    summary = preview.context["summary"]
    assert "core-hours move from transients to galaxies" in summary
    assert not Adjustment.objects.exists()
    booked = client.post(address, {**wanted, "confirmed": summary})
    assert booked.headers["Location"] == page
    assert Adjustment.objects.get().author == cast.dora
    again = client.post(address, {**wanted, "confirmed": summary})
    assert "charged like this already" in again.content.decode()


def test_staff_without_the_right_may_not(cast: Cast, client: Client, session: Session) -> None:
    client.force_login(factories.user("gus", is_staff=True))
    address = reverse("admin:hub_sessions_session_adjust", args=[session.pk])
    assert client.get(address).status_code == 403
