"""What PIs and managers are told of the days to come: the words, and that each step comes once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounting import tasks
from accounting.outlook_notices.messages import Account, messages
from accounting.outlook_notices.telling import tell_outlooks
from accounts.models import Group, Membership, Notice, User
from quotas import forecast
from quotas.forecast import Pace
from quotas.models import AllocationPeriod
from tests import factories
from tests.accounting.visits import DAY, NOW, PERIOD
from tests.documents import Documents

HOUR = 3_600_000  # millicore-seconds of a core-hour
STARTS, ENDS = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


def account(*, at: datetime, limit: int, used: int, pace: int, deviation: int = 0) -> Account:
    """A quota of so many core-hours of the first half of 2026."""
    recent = Pace(pace * HOUR, deviation * HOUR)
    remaining = (limit - used) * HOUR
    return Account(
        quota=7,
        group_name="transients",
        group_title="Transients",
        period_title="2026A",
        starts_at=STARTS,
        ends_at=ENDS,
        limit=limit * HOUR,
        used=used * HOUR,
        mode_words="Once it is used up, new sessions are refused.",
        forecast=forecast.forecast(recent, remaining=remaining, at=at, ends_at=ENDS),
    )


def steps(of: Account, at: datetime) -> list[str]:
    return [message.key.rpartition(":")[2] for message in messages(of, at=at)]


@pytest.mark.parametrize(
    ("name", "day", "values"),
    [
        ("runs-out", date(2026, 3, 1), {"limit": 1000, "used": 520, "pace": 10, "deviation": 4}),
        ("may-last", date(2026, 3, 1), {"limit": 1700, "used": 500, "pace": 10, "deviation": 40}),
        ("expires", date(2026, 5, 20), {"limit": 2000, "used": 680, "pace": 10, "deviation": 4}),
        ("period-ends", date(2026, 6, 25), {"limit": 1000, "used": 940, "pace": 10}),
        ("nothing-left", date(2026, 6, 1), {"limit": 1000, "used": 1004, "pace": 10}),
    ],
)
def test_the_words(name: str, day: date, values: dict[str, Any], documents: Documents) -> None:
    at = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
    said = messages(account(at=at, **values), at=at)
    text = "\n---\n".join(
        f"{one.topic} {one.key}\n{one.subject}\n\n{one.text}\n\n{one.link_label}: {one.link}\n"
        for one in said
    )
    documents.expect(f"outlook_notices/{name}.txt", text)


@pytest.mark.parametrize(
    ("days", "step"),
    [
        (60, "early"),
        (29, "early"),
        (28, "28"),
        (15, "28"),
        (14, "14"),
        (8, "14"),
        (7, "7"),
        (1, "7"),
    ],
)
def test_the_nearer_the_end_of_a_quota_the_newer_the_step(days: int, step: str) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    told = steps(account(at=at, limit=1000 + 10 * days, used=1000, pace=10), at)
    assert told == [f"runs-out-{step}"]


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (date(2026, 4, 1), []),
        (date(2026, 4, 2), ["expires-50"]),
        (date(2026, 5, 16), ["expires-50"]),
        (date(2026, 5, 17), ["expires-75"]),
        (date(2026, 6, 13), ["expires-90", "ends-30"]),
        (date(2026, 6, 24), ["expires-90", "ends-7"]),
    ],
)
def test_what_expires_is_told_from_the_half_of_the_period_on(day: date, told: list[str]) -> None:
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert steps(account(at=at, limit=2000, used=0, pace=1), at) == told


def test_a_little_that_expires_is_no_news() -> None:
    at = datetime(2026, 5, 31, tzinfo=UTC)
    assert steps(account(at=at, limit=1000, used=600, pace=10), at) == []
    assert steps(account(at=at, limit=1000, used=580, pace=10), at) == ["expires-75"]


def test_after_a_grant_the_steps_are_told_anew() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    before, after = (
        messages(account(at=at, limit=limit, used=1000, pace=10), at=at)[0].key
        for limit in (1100, 1200)
    )
    assert before != after


def test_a_short_period_does_not_begin_with_its_end() -> None:
    at = STARTS + DAY
    short = account(at=at, limit=1000, used=0, pace=1)
    short = replace(short, ends_at=STARTS + timedelta(days=28), forecast=None)
    assert steps(short, at) == []
    assert steps(short, STARTS + timedelta(days=22)) == ["ends-7"]


@pytest.fixture
def spring(db: None) -> AllocationPeriod:
    return factories.period(*PERIOD, title="2026A")


@pytest.fixture
def steady(alice: User, transients: Group, spring: AllocationPeriod) -> None:
    """Four weeks with one core-hour a day, and 20 left: to 21 May."""
    hub, midnight = factories.hub(), NOW.replace(hour=0)
    Group.objects.update(created_at=NOW - 100 * DAY)
    for day in range(29):
        factories.charged_session(hub, alice, transients, ready_at=midnight - day * DAY)
    factories.quota(transients, spring, "49", mode="soft")


def told() -> list[tuple[str, str]]:
    rows = Notice.objects.order_by("pk").values_list("recipient__username", "subject")
    return list(rows)


@pytest.mark.usefixtures("steady")
def test_the_pi_and_a_manager_who_sees_usage_are_told_once(transients: Group, bob: User) -> None:
    Membership.objects.filter(user=bob, group=transients).update(
        role="manager", rights=[Membership.Right.USAGE]
    )
    other = factories.user("mo")
    factories.membership(other, transients, "manager", rights=[Membership.Right.MEMBERS])
    assert tell_outlooks(at=NOW) == 2
    subject = "Transients: the quota runs out on about 21 May 2026"
    assert told() == [("alice", subject), ("bob", subject)]
    assert tell_outlooks(at=NOW + timedelta(hours=9)) == 0
    assert len(told()) == 2


@pytest.mark.usefixtures("steady")
def test_the_notice_names_the_date_of_the_groups_page(alice: User) -> None:
    tell_outlooks(at=NOW)
    notice = Notice.objects.get()
    with time_machine.travel(NOW, tick=False):
        client = Client()
        client.force_login(alice)
        page = client.get(notice.link).content.decode()
    assert "2026-05-21" in page
    assert "21 May 2026" in notice.text


@pytest.mark.usefixtures("steady")
def test_a_new_pi_is_told_what_the_others_know(transients: Group) -> None:
    tell_outlooks(at=NOW)
    factories.membership(factories.user("zoe"), transients, "pi")
    assert tell_outlooks(at=NOW) == 1
    assert told()[-1][0] == "zoe"


@pytest.mark.usefixtures("steady")
def test_of_a_closed_group_nothing_is_told(transients: Group) -> None:
    Group.objects.filter(pk=transients.pk).update(closed_at=NOW)
    assert tell_outlooks(at=NOW) == 0


@pytest.mark.usefixtures("steady")
def test_between_periods_nothing_is_told() -> None:
    assert tell_outlooks(at=NOW + 365 * DAY) == 0


def test_beat_asks_for_it_each_day() -> None:
    entry = settings.CELERY_BEAT_SCHEDULE["tell-outlooks"]
    assert entry["task"] == tasks.tell_outlooks.name
    assert (len(entry["schedule"].hour), len(entry["schedule"].minute)) == (1, 1)


@pytest.mark.usefixtures("steady")
def test_the_task_tells(alice: User) -> None:
    with time_machine.travel(NOW, tick=False):
        assert tasks.tell_outlooks() == 1
    assert Notice.objects.get().recipient == alice


def test_many_groups_cost_no_more_queries_than_few(spring: AllocationPeriod, db: None) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            tell_outlooks(at=NOW)
        return len(captured)

    def lead(count: int) -> None:
        for _ in range(count):
            group = factories.group(created_at=NOW - 100 * DAY)
            factories.membership(factories.user(), group, "pi")
            factories.quota(group, spring, "49")

    lead(2)
    tell_outlooks(at=NOW)
    before = queries()
    lead(40)
    assert tell_outlooks(at=NOW) == 40
    assert queries() == before <= 7
