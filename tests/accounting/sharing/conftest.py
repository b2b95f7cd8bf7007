"""A group that used something, and a schedule of its PI."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from accounting import rollups
from accounting.models import ReportSchedule
from accounting.sharing import recipients, schedules
from accounts.models import Group, User
from quotas.models import AllocationPeriod
from tests import factories
from tests.accounting.visits import DAY, HOUR, NOW
from tests.smtp import MailServer

DUE = datetime.fromisoformat("2026-05-03T06:00:00+00:00")


@pytest.fixture
def used(alice: User, bob: User, transients: Group) -> None:
    """Four core-hours in April, one in March."""
    hub = factories.hub()
    for who, begin, hours in ((bob, NOW - 9 * DAY, 4), (alice, NOW - 40 * DAY, 1)):
        factories.charged_session(
            hub, who, transients, ready_at=begin, ended_at=begin + hours * HOUR
        )
    rollups.refresh()


@pytest.fixture
def period(transients: Group) -> AllocationPeriod:
    found = factories.period(date(2026, 1, 1), date(2026, 7, 1), "Spring")
    factories.quota(transients, found, "100")
    return found


@pytest.fixture
def schedule(alice: User, transients: Group, period: AllocationPeriod) -> ReportSchedule:
    """About the period so far, on the third; Alice gets it."""
    found = schedules.make_schedule(
        transients, covers="period", file="csv", day=3, with_names=False, by=alice, at=NOW
    )
    recipients.add_leader(found, alice, at=NOW)
    return found


@pytest.fixture
def post(mail_server: MailServer) -> MailServer:
    return mail_server


def press(
    who: User | None, path: str, *, at: datetime = NOW + timedelta(hours=1), **data: str
) -> int:
    """The status of the answer to somebody's POST."""
    with time_machine.travel(at, tick=False):
        client = Client()
        if who is not None:
            client.force_login(who)
        return client.post(path, data).status_code
