"""From 80 % to the end of the last session: what is written, who is told, what the hub is asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.core.mail import get_connection
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import Notice, Topic, User
from accounts.notices.delivery import send_next
from lsp_portal.lib import advisory
from quotas.ladder import Step
from quotas.models import ComputeQuota, Grant
from sessions import enforcement, tasks
from sessions.delays import delays
from sessions.enforcement import enforce_quotas, overshoot_bound
from sessions.hub.secrets import issue_secret
from sessions.models import Alert, Charge, Hub, LadderStep, QuotaLadder, Session
from tests import factories
from tests.cast import Cast
from tests.sessions.stub_hub import StubHub
from tests.smtp import MailServer

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def hub(cast: Cast, stub: StubHub) -> Hub:
    cast.hub.api_url = stub.url
    cast.hub.save(update_fields=["api_url"])
    issue_secret(cast.hub, NOW - HOUR)
    return cast.hub


@pytest.fixture
def session(cast: Cast, hub: Hub) -> Session:
    """Bob's Small server, charged to transients since eight o'clock."""
    return factories.charged_session(
        hub, cast.bob, cast.transients, ready_at=NOW, ended_at=None, server="lab"
    )


def quota(cast: Cast, hours: str, mode: str = "hard") -> ComputeQuota:
    period = factories.period(date(2026, 1, 1), date(2027, 1, 1), "2026")
    return factories.quota(cast.transients, period, hours, mode)


def told(person: User, topic: Topic = Topic.QUOTA) -> list[str]:
    rows = Notice.objects.filter(recipient=person, topic=topic).order_by("pk")
    return list(rows.values_list("subject", flat=True))


def stops(stub: StubHub) -> list[tuple[str, str]]:
    return [(path, reason) for path, _, _, reason in stub.asked]


def steps_of(one: ComputeQuota) -> list[tuple[int, int, bool]]:
    rows = LadderStep.objects.filter(quota=one).order_by("pk")
    return list(rows.values_list("generation", "step", "was_passed"))


def ends(session: Session, at: datetime) -> None:
    Session.objects.filter(pk=session.pk).update(
        stopped_at=at, ended_at=at, end_source="stop", end_reason="quota"
    )
    Charge.objects.filter(session=session).update(ended_at=at)


def test_the_whole_ladder_minute_by_minute(cast: Cast, stub: StubHub, session: Session) -> None:
    award = quota(cast, "10")
    for minute in range(0, 11 * 60):
        enforce_quotas(at=NOW + minute * MINUTE)
        enforce_quotas(at=NOW + minute * MINUTE)
        if stub.asked and session.ended_at is None:
            session.ended_at = NOW + (minute + 1) * MINUTE
            ends(session, session.ended_at)
    assert steps_of(award) == [
        (1, 80, False), (1, 95, False), (1, 100, True), (1, 101, False), (1, 103, False),
    ]  # fmt: skip
    reached = LadderStep.objects.order_by("pk").values_list("reached_at", flat=True)
    hours = [(moment - NOW) / HOUR for moment in reached]
    assert hours == [8, 9.5, 10, 10, 10.25]
    assert stops(stub) == [("/hub/api/users/bob/servers/lab", "quota")] * 2
    assert told(cast.alice) == [
        "80 % of the compute quota of Transients is used",
        "95 % of the compute quota of Transients is used",
        "The compute quota of Transients is used up",
        "Running sessions of Transients are stopped",
    ]
    assert told(cast.bob) == []
    assert told(cast.bob, Topic.SESSION) == [
        "Your session at Demo will be stopped at 1 May 2026, 18:15 UTC",
        "Your session at Demo was stopped",
    ]
    session.refresh_from_db()
    assert session.stop_note == "the compute quota of the group is used up"
    used = enforcement.standings(at=NOW + 11 * HOUR)[0].level.used
    assert 0 < used - 10 * 3_600_000 <= overshoot_of(session)


def test_everybody_gets_each_mail_once(
    cast: Cast, mail_server: MailServer, session: Session
) -> None:
    quota(cast, "10")
    for minute in (0, 479, 480, 481, 570, 600, 601, 614, 615, 616):
        for _ in range(2):
            enforce_quotas(at=NOW + minute * MINUTE)
            send(NOW + minute * MINUTE)
    received = [
        (mail["To"], mail["Subject"].strip().removesuffix(" · LSP Portal"))
        for mail in mail_server.mails
    ]
    assert received == [
        ("alice@example.org", "80 % of the compute quota of Transients is used"),
        ("alice@example.org", "95 % of the compute quota of Transients is used"),
        ("alice@example.org", "The compute quota of Transients is used up"),
        ("bob@example.org", "Your session at Demo will be stopped at 1 May 2026, 18:15 UTC"),
        ("alice@example.org", "Running sessions of Transients are stopped"),
        ("bob@example.org", "Your session at Demo was stopped"),
    ]


def send(at: datetime) -> None:
    post = get_connection()
    while send_next(post, at=at):
        pass
    post.close()


def overshoot_of(session: Session) -> int:
    return delays().overshoot(session.cpu_millicores or 0, sessions=1)


def test_ticks_that_were_missed_are_made_up_for(
    cast: Cast, stub: StubHub, session: Session
) -> None:
    award = quota(cast, "10")
    enforce_quotas(at=NOW + 10 * HOUR)
    assert steps_of(award) == [(1, 80, True), (1, 95, True), (1, 100, True), (1, 101, False)]
    assert told(cast.alice) == ["The compute quota of Transients is used up"]
    assert stub.asked == []
    enforce_quotas(at=NOW + 12 * HOUR)
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("nominal", "counted, and nothing is refused or stopped"),
        ("soft", "New sessions are refused from now on; running ones go on"),
        ("hard", "Running sessions are stopped at 1 May 2026, 18:15 UTC"),
    ],
)
def test_only_a_hard_quota_stops_sessions_and_each_says_what_it_does(
    cast: Cast, stub: StubHub, session: Session, mode: str, words: str
) -> None:
    quota(cast, "10", mode)
    for hours in (10, 11):
        enforce_quotas(at=NOW + hours * HOUR)
    notice = Notice.objects.filter(recipient=cast.alice).earliest("pk")
    assert words in notice.text
    assert "10.00 of 10.00 core-hours" in notice.text
    assert len(stub.asked) == (mode == "hard")


def test_without_a_period_or_a_quota_nothing_happens(
    cast: Cast, stub: StubHub, session: Session
) -> None:
    enforce_quotas(at=NOW + 10 * HOUR)
    quota(cast, "10")
    enforce_quotas(at=datetime(2028, 1, 1, tzinfo=UTC))
    assert not Notice.objects.exists()
    assert not QuotaLadder.objects.exists()


class TestMoreHours:
    def test_before_the_stop_they_cancel_it_and_the_person_is_told(
        self, cast: Cast, stub: StubHub, session: Session
    ) -> None:
        award = quota(cast, "10")
        enforce_quotas(at=NOW + 10 * HOUR)
        Grant.objects.create(
            quota=award, core_hours=Decimal(1), reason="Paper", author=cast.dora, valid_from=NOW
        )
        enforce_quotas(at=NOW + 10 * HOUR + MINUTE)
        session.refresh_from_db()
        assert session.stops_at is None
        assert told(cast.bob, Topic.SESSION)[-1] == "Your session at Demo goes on"
        for minute in range(2, 60):
            enforce_quotas(at=NOW + 10 * HOUR + minute * MINUTE)
        assert stub.asked == []

    def test_the_ladder_is_climbed_again_up_to_the_new_limit(
        self, cast: Cast, stub: StubHub, session: Session
    ) -> None:
        award = quota(cast, "10")
        enforce_quotas(at=NOW + 10 * HOUR)
        ComputeQuota.objects.filter(pk=award.pk).update(core_hours=Decimal(12))
        for minute in range(180):
            enforce_quotas(at=NOW + 10 * HOUR + minute * MINUTE)
        again = [(95, False), (100, True), (101, False), (103, False)]
        assert steps_of(award)[4:] == [(2, *one) for one in again]
        subjects = told(cast.alice)
        assert subjects.count("The compute quota of Transients is used up") == 2
        assert subjects.count("80 % of the compute quota of Transients is used") == 0
        assert told(cast.bob, Topic.SESSION) == [
            "Your session at Demo will be stopped at 1 May 2026, 18:15 UTC",
            "Your session at Demo goes on",
            "Your session at Demo will be stopped at 1 May 2026, 20:15 UTC",
            "Your session at Demo was stopped",
        ]

    def test_a_new_period_lets_sessions_go_on(
        self, cast: Cast, stub: StubHub, session: Session
    ) -> None:
        old = factories.period(date(2026, 1, 1), date(2026, 5, 2))
        new = factories.period(date(2026, 5, 2), date(2027, 1, 1))
        factories.quota(cast.transients, old, "15.9")
        factories.quota(cast.transients, new, "100")
        enforce_quotas(at=NOW + 16 * HOUR - 5 * MINUTE)
        session.refresh_from_db()
        assert session.stops_at == NOW + 16 * HOUR + 10 * MINUTE
        enforce_quotas(at=NOW + 16 * HOUR)
        session.refresh_from_db()
        assert session.stops_at is None


class TestTroubles:
    def test_of_a_hub_that_is_away_an_alert_says_how_far_it_goes(
        self, cast: Cast, hub: Hub, stub: StubHub, session: Session
    ) -> None:
        quota(cast, "10")
        stub.status = 503
        for minute in (0, 15, 16, 17):
            enforce_quotas(at=NOW + 10 * HOUR + minute * MINUTE)
        alert = Alert.objects.get(kind="not_stopped")
        assert "Transients: 0.28 core-hours beyond" in alert.detail
        assert alert.resolved_at is None
        assert "Your session at Demo was stopped" not in told(cast.bob, Topic.SESSION)
        stub.status = 202
        assert enforce_quotas(at=NOW + 10 * HOUR + 18 * MINUTE) == 1
        alert.refresh_from_db()
        assert alert.resolved_at == NOW + 10 * HOUR + 18 * MINUTE

    def test_the_alert_is_resolved_when_nothing_has_to_stop_any_more(
        self, cast: Cast, stub: StubHub, session: Session
    ) -> None:
        quota(cast, "10")
        stub.status = 503
        for minute in (0, 15):
            enforce_quotas(at=NOW + 10 * HOUR + minute * MINUTE)
        ends(session, NOW + 10 * HOUR + 16 * MINUTE)
        enforce_quotas(at=NOW + 10 * HOUR + 16 * MINUTE)
        assert not Alert.objects.filter(resolved_at=None).exists()

    def test_hours_given_while_the_hub_is_away_count(
        self, cast: Cast, stub: StubHub, session: Session
    ) -> None:
        award = quota(cast, "10")
        stub.status = 503
        for minute in (0, 15):
            enforce_quotas(at=NOW + 10 * HOUR + minute * MINUTE)
        ComputeQuota.objects.filter(pk=award.pk).update(core_hours=Decimal(20))
        stub.status = 202
        enforce_quotas(at=NOW + 10 * HOUR + 17 * MINUTE)
        session.refresh_from_db()
        later = NOW + 10 * HOUR + 17 * MINUTE
        assert session.state(at=later) == Session.State.READY
        assert len(stub.asked) == 1

    def test_one_tick_asks_for_a_bounded_number(
        self, cast: Cast, hub: Hub, stub: StubHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(enforcement, "MOST_STOPS", 2)
        quota(cast, "1")
        for server in "abc":
            factories.charged_session(
                hub, cast.bob, cast.transients, ready_at=NOW, ended_at=None, server=server
            )
        enforce_quotas(at=NOW + HOUR)
        for _ in range(2):
            enforce_quotas(at=NOW + 2 * HOUR)
        assert [path[-1] for path, _ in stops(stub)] == ["a", "b", "c", "a"]

    def test_a_session_that_starts_late_has_the_same_time_to_wrap_up(
        self, cast: Cast, hub: Hub, session: Session
    ) -> None:
        quota(cast, "10")
        enforce_quotas(at=NOW + 10 * HOUR)
        ready_at = NOW + 10 * HOUR + 10 * MINUTE
        late = factories.charged_session(
            hub, cast.alice, cast.transients, ready_at=ready_at, ended_at=None
        )
        enforce_quotas(at=ready_at)
        late.refresh_from_db()
        assert late.stops_at == ready_at + 15 * MINUTE


@pytest.mark.django_db(transaction=True)
def test_while_one_scheduler_is_at_it_another_does_nothing(
    cast: Cast, stub: StubHub, session: Session
) -> None:
    quota(cast, "10")

    def elsewhere() -> int:
        try:
            return enforce_quotas(at=NOW + 10 * HOUR)
        finally:
            connection.close()

    with advisory.held("enforcement of quotas"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(elsewhere).result() == 0
    assert not LadderStep.objects.exists()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: elsewhere(), range(8)))
    assert LadderStep.objects.count() == 4
    assert told(cast.bob, Topic.SESSION) == [
        "Your session at Demo will be stopped at 1 May 2026, 18:15 UTC"
    ]


def test_a_quiet_tick_costs_the_same_however_many_groups_there_are(cast: Cast) -> None:
    period = factories.period(date(2026, 1, 1), date(2027, 1, 1))

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            enforce_quotas(at=NOW)
        return len(captured)

    factories.quota(cast.transients, period, "10")
    few = queries()
    for _ in range(30):
        factories.quota(factories.group(), period, "10")
    assert queries() == few


def test_the_bound_is_that_of_the_present_sessions(cast: Cast, session: Session) -> None:
    """123 minutes of one core: two ticks, two hours of grace at most, one minute for the hub."""
    assert overshoot_bound(cast.transients, at=NOW) == 123 * 60 * 1000
    assert overshoot_bound(cast.galaxies, at=NOW) == 0


def test_beat_runs_it_as_often_as_the_site_wants(
    cast: Cast, session: Session, settings: Settings
) -> None:
    quota(cast, "10")
    entry = settings.CELERY_BEAT_SCHEDULE["enforce-quotas"]
    assert (entry["task"], entry["schedule"]) == (tasks.enforce_quotas.name, 60.0)
    with time_machine.travel(NOW + 8 * HOUR, tick=False):
        tasks.enforce_quotas.delay().get()
    assert QuotaLadder.objects.get().step == Step.EIGHTY
