"""Bob asks that another of his groups pays for a session, and its PI decides, once."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Group, Notice, User
from sessions.adjustments import adjust
from sessions.models import Adjustment, Reattribution, Session
from sessions.reattributing import requests
from sessions.reattributing.choices import choices, payer
from sessions.reattributing.effects import effect
from sessions.reattributing.requests import OPEN_FOR, ReattributionRefused
from sessions.usage import used
from tests import factories
from tests.cast import Cast, make_cast

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
THEN = datetime(2026, 5, 1, 8, tzinfo=UTC)
NOW = THEN + 3 * DAY
CORE_HOUR = 3_600_000


@pytest.fixture
def gina(cast: Cast) -> User:
    """The PI of galaxies."""
    return pi_of(cast.galaxies)


def pi_of(group: Group) -> User:
    pi = factories.user("gina")
    factories.membership(pi, group, "pi")
    return pi


@pytest.fixture
def session(cast: Cast) -> Session:
    """Two hours of Bob's on one CPU, for transients."""
    return factories.charged_session(
        cast.hub, cast.bob, cast.transients, ready_at=THEN, ended_at=THEN + 2 * HOUR
    )


def ask(session: Session, to: Group, by: User, at: datetime = NOW) -> Reattribution:
    return requests.ask(session, to=to, reason="For the galaxies paper", by=by, at=at)


def hours(group: Group) -> int:
    return (
        used(group=group, start=THEN - DAY, end=THEN + DAY, at=NOW).millicore_seconds // CORE_HOUR
    )


def told(who: User) -> list[str]:
    return list(
        Notice.objects.filter(recipient=who).order_by("pk").values_list("subject", flat=True)
    )


def test_the_pi_of_the_group_that_is_to_pay_accepts_and_both_groups_are_told(
    cast: Cast, gina: User, session: Session
) -> None:
    row = ask(session, cast.galaxies, cast.bob)
    assert (row.state, hours(cast.transients), hours(cast.galaxies)) == ("open", 2, 0)
    assert [len(told(who)) for who in (gina, cast.alice, cast.bob)] == [1, 1, 0]
    done = requests.accept(row, by=gina, answer="Ours", at=NOW)
    assert (done.state, done.decided_by) == ("accepted", gina)
    assert (hours(cast.transients), hours(cast.galaxies)) == (0, 2)
    made = Adjustment.objects.get()
    assert (done.adjustment, made.author) == (made, gina)
    assert made.reason == f"Request {row.pk} of Bob Example: For the galaxies paper"
    assert [len(told(who)) for who in (gina, cast.alice, cast.bob)] == [1, 2, 1]
    assert payer(session) == cast.galaxies


def test_who_accepts_twice_is_answered_the_same_and_books_once(
    cast: Cast, gina: User, session: Session
) -> None:
    row = ask(session, cast.galaxies, cast.bob)
    for _ in range(2):
        assert requests.accept(row, by=gina, answer="", at=NOW).state == "accepted"
    with pytest.raises(ReattributionRefused, match="accepted meanwhile"):
        requests.decline(row, by=gina, answer="No", at=NOW)
    with pytest.raises(ReattributionRefused, match="accepted meanwhile"):
        requests.withdraw(row, by=cast.bob, at=NOW)
    assert Adjustment.objects.count() == 1


def test_who_asks_as_pi_of_the_group_that_is_to_pay_has_accepted(
    cast: Cast, session: Session
) -> None:
    factories.membership(cast.alice, cast.galaxies, "pi")
    assert ask(session, cast.galaxies, cast.alice).state == "accepted"
    assert hours(cast.galaxies) == 2
    assert len(told(cast.bob)) == 1


def test_the_pi_of_the_group_that_pays_may_ask_and_does_not_decide(
    cast: Cast, gina: User, session: Session
) -> None:
    row = ask(session, cast.galaxies, cast.alice)
    assert row.state == "open"
    for who in (cast.alice, cast.bob, cast.charlie):
        with pytest.raises(ReattributionRefused, match="Only PIs of Galaxies"):
            requests.accept(row, by=who, answer="", at=NOW)
    assert requests.decline(row, by=gina, answer="Not ours", at=NOW).answer == "Not ours"
    assert hours(cast.galaxies) == 0


def test_outsiders_do_not_ask(cast: Cast, gina: User, session: Session) -> None:
    for who in (cast.charlie, gina):
        with pytest.raises(ReattributionRefused, match="may ask"):
            ask(session, cast.galaxies, who)


def test_an_administrator_asks_and_decides_for_anybody_but_not_in_one(
    cast: Cast, session: Session
) -> None:
    row = ask(session, cast.galaxies, cast.dora)
    assert row.state == "open"
    assert requests.accept(row, by=cast.dora, answer="", at=NOW).state == "accepted"


def test_without_a_pi_administrators_are_asked(cast: Cast, session: Session) -> None:
    ask(session, cast.galaxies, cast.bob)
    assert len(told(cast.dora)) == 1


def test_only_groups_of_that_time_are_offered_and_it_is_said_why_others_are_not(
    cast: Cast, session: Session
) -> None:
    def joined(
        name: str, valid_from: datetime, valid_to: datetime | None, **dates: datetime
    ) -> None:
        group = factories.group(name, **dates)
        factories.membership(cast.bob, group, valid_from=valid_from, valid_to=valid_to)

    joined("later", THEN + DAY, None)
    joined("before", THEN - 2 * DAY, THEN - DAY)
    joined("opened-late", THEN - DAY, None, opens_at=THEN + HOUR)
    joined("closed-early", THEN - DAY, None, closed_at=THEN - HOUR)
    joined("left-since", THEN - DAY, THEN + DAY)
    found = {choice.group.name: choice.refusal for choice in choices(session, cast.transients)}
    assert found == {
        "galaxies": "",
        "left-since": "",
        "later": "The membership began on 2026-05-02, after the session.",
        "before": "The membership had ended on 2026-04-30, before the session began.",
        "opened-late": "It opened on 2026-05-01, after the session began.",
        "closed-early": "It had closed on 2026-05-01, before the session began.",
    }
    for name in ("later", "solar-system", "transients"):
        with pytest.raises(ReattributionRefused):
            ask(session, Group.objects.get(name=name), cast.bob)


def test_a_session_is_asked_for_once_at_a_time(cast: Cast, gina: User, session: Session) -> None:
    row = ask(session, cast.galaxies, cast.bob)
    with pytest.raises(ReattributionRefused, match="already"):
        ask(session, cast.galaxies, cast.alice)
    requests.withdraw(row, by=cast.bob, at=NOW)
    again = ask(session, cast.galaxies, cast.alice)
    requests.accept(again, by=gina, answer="", at=NOW)
    factories.membership(cast.alice, cast.galaxies, "pi")
    assert ask(session, cast.transients, cast.alice).state == "accepted"  # and back
    assert (hours(cast.transients), hours(cast.galaxies)) == (2, 0)


def test_what_runs_waits_for_its_end(cast: Cast, gina: User) -> None:
    running = factories.charged_session(
        cast.hub, cast.bob, cast.transients, ready_at=NOW - HOUR, ended_at=None
    )
    row = ask(running, cast.galaxies, cast.bob)
    assert effect(running, cast.transients, cast.galaxies, at=NOW).moves == CORE_HOUR
    with pytest.raises(ReattributionRefused, match="still runs"):
        requests.accept(row, by=gina, answer="", at=NOW)
    row.refresh_from_db()
    assert row.is_open


def test_what_costs_nothing_or_nobody_pays_for_is_not_moved(cast: Cast) -> None:
    failed = factories.session(cast.hub, cast.bob, cast.transients, ready_at=None)
    unpaid = factories.charged_session(cast.hub, cast.bob, None, server="lab")
    for one in (failed, unpaid):
        with pytest.raises(ReattributionRefused, match="No group pays"):
            ask(one, cast.galaxies, cast.bob)


def test_nobody_answers_after_thirty_days(cast: Cast, gina: User, session: Session) -> None:
    row = ask(session, cast.galaxies, cast.bob)
    late = NOW + OPEN_FOR
    with pytest.raises(ReattributionRefused, match="expired without an answer meanwhile"):
        requests.accept(row, by=gina, answer="", at=late)
    assert requests.expire(at=late - HOUR) == 0
    assert requests.expire(at=late) == 1
    assert requests.expire(at=late) == 0
    row.refresh_from_db()
    assert (row.state, row.decided_by) == ("expired", None)
    assert len(told(cast.bob)) == 1


def test_what_was_corrected_meanwhile_is_not_moved(
    cast: Cast, gina: User, session: Session
) -> None:
    row = ask(session, cast.galaxies, cast.bob)
    adjust(session, author=cast.dora, reason="a mail", at=NOW, group=cast.galaxies)
    with pytest.raises(ReattributionRefused, match="Transients does not pay for the session any"):
        requests.accept(row, by=gina, answer="", at=NOW)
    assert Adjustment.objects.count() == 1


def test_a_correction_of_times_moves_along(cast: Cast, gina: User, session: Session) -> None:
    adjust(session, author=cast.dora, reason="a mail", at=NOW, ended_at=THEN + HOUR)
    requests.accept(ask(session, cast.galaxies, cast.bob), by=gina, answer="", at=NOW)
    assert (hours(cast.transients), hours(cast.galaxies)) == (0, 1)


@pytest.mark.parametrize(("mode", "core_hours", "warns"), [
    ("hard", "2.9", True), ("hard", "3", False), ("soft", "1", False), ("nominal", "1", False),
])  # fmt: skip
def test_a_hard_quota_is_not_passed_silently(
    cast: Cast, gina: User, session: Session, mode: str, core_hours: str, warns: bool
) -> None:
    period = factories.period(date(2026, 1, 1), date(2027, 1, 1))
    factories.quota(cast.galaxies, period, core_hours, mode)
    factories.charged_session(cast.hub, cast.bob, cast.galaxies, ready_at=THEN - 3 * HOUR)
    factories.membership(gina, cast.transients, "pi")
    row = ask(session, cast.galaxies, gina)
    assert (row.state == "open") == warns
    if not warns:
        return
    (part,) = effect(session, cast.transients, cast.galaxies, at=NOW).parts
    giver, receiver = part.balances
    assert (giver.used, giver.after) == (2 * CORE_HOUR, 0)
    assert (receiver.used, receiver.after) == (CORE_HOUR, 3 * CORE_HOUR)
    assert (receiver.left_after, receiver.goes_beyond) == (-CORE_HOUR // 10, True)
    with pytest.raises(ReattributionRefused, match="beyond the hard quota of Galaxies"):
        requests.accept(row, by=gina, answer="", at=NOW)
    requests.accept(row, by=gina, answer="", at=NOW, beyond_quota=True)
    assert hours(cast.galaxies) == 3


def test_the_effect_is_cut_at_the_borders_of_periods(cast: Cast) -> None:
    factories.period(date(2026, 1, 1), date(2026, 5, 1), "first")
    factories.period(date(2026, 5, 2), date(2026, 6, 1), "second")
    midnight = datetime(2026, 5, 1, tzinfo=UTC)
    long = factories.charged_session(
        cast.hub, cast.bob, cast.transients, ready_at=midnight - HOUR,
        ended_at=midnight + 26 * HOUR,
    )  # fmt: skip
    found = effect(long, cast.transients, cast.galaxies, at=NOW)
    moves = [(str(part.period or ""), part.moves // CORE_HOUR) for part in found.parts]
    assert moves == [("first", 1), ("second", 2), ("", 24)]
    assert found.moves == 27 * CORE_HOUR


@pytest.mark.parametrize(
    "change",
    [
        {"state": "accepted"},
        {"state": "declined"},
        {"decided_at": NOW},
        {"to_group_id": "from_group"},
        {"reason": ""},
    ],
)
def test_the_database_refuses_what_cannot_be(
    cast: Cast, session: Session, change: dict[str, object]
) -> None:
    row = ask(session, cast.galaxies, cast.bob)
    known = {"to_group_id": row.from_group_id} if "to_group_id" in change else change
    with pytest.raises(IntegrityError), transaction.atomic():
        Reattribution.objects.filter(pk=row.pk).update(**known)


@pytest.mark.django_db(transaction=True)
def test_of_many_answers_at_once_one_counts() -> None:
    cast = make_cast()
    gina = pi_of(cast.galaxies)
    session = factories.charged_session(
        cast.hub, cast.bob, cast.transients, ready_at=THEN, ended_at=THEN + 2 * HOUR
    )
    row = ask(session, cast.galaxies, cast.bob)
    together, outcomes = threading.Barrier(4), []

    def answer(place: int) -> None:
        together.wait()
        try:
            if place == 0:
                done = requests.withdraw(row, by=cast.bob, at=NOW)
            elif place == 1:
                done = requests.decline(row, by=cast.dora, answer="No", at=NOW)
            else:
                done = requests.accept(row, by=(cast.dora, gina)[place % 2], answer="", at=NOW)
            outcomes.append(done.state)
        except ReattributionRefused:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=answer, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    row.refresh_from_db()
    assert sorted(outcomes) == sorted(["refused"] * 3 + [row.state])
    assert Adjustment.objects.count() == (row.state == "accepted")


@pytest.mark.django_db(transaction=True)
def test_a_correction_that_comes_first_is_not_moved_on() -> None:
    """Gina accepts while Dora's correction, by which solar-system pays, is not committed yet."""
    cast = make_cast()
    gina = pi_of(cast.galaxies)
    factories.membership(cast.bob, cast.solar_system)
    session = factories.charged_session(
        cast.hub, cast.bob, cast.transients, ready_at=THEN, ended_at=THEN + 2 * HOUR
    )
    row = ask(session, cast.galaxies, cast.bob)
    codes: list[str] = []

    def answer() -> None:
        try:
            requests.accept(row, by=gina, answer="", at=NOW)
        except ReattributionRefused as refusal:
            codes.append(refusal.code)
        finally:
            connection.close()

    thread = threading.Thread(target=answer)
    with transaction.atomic():
        adjust(session, author=cast.dora, reason="a mail", at=NOW, group=cast.solar_system)
        thread.start()
        _wait_for_a_lock()
    thread.join()
    assert codes == ["paid_by_another"]
    assert payer(session) == cast.solar_system


def _wait_for_a_lock() -> None:
    with connection.cursor() as cursor:
        for _ in range(200):
            # pg_stat_activity would say the same throughout the transaction.
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted"
                " AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            )
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("Nobody waits.")
