"""A group with sessions of several people, and its period."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from accounting import rollups
from accounting.models import Statement
from accounting.statements.closing import close_period
from accounts.models import Group, User
from quotas.models import AllocationPeriod
from sessions.models import Hub
from tests import factories
from tests.accounting.visits import DAY, HOUR, NOW


@pytest.fixture
def hub() -> Hub:
    return factories.hub()


@pytest.fixture
def sessions(hub: Hub, alice: User, bob: User, transients: Group, galaxies: Group) -> None:
    """Over midnights and ends of months, with a GPU, of two groups."""
    for number, (who, group) in enumerate(
        [(bob, transients), (alice, transients), (bob, galaxies), (None, transients)]
    ):
        begin = NOW - 40 * DAY - number * 9 * DAY
        factories.charged_session(
            hub, who, group, ready_at=begin, ended_at=begin + (7 + 20 * number) * HOUR,
            image="lsst" if number % 2 else "base", size="small" if number else "tiny",
            cpu_millicores=333 + number, gpus=number % 2,
        )  # fmt: skip
    rollups.refresh()


@pytest.fixture
def period(transients: Group) -> AllocationPeriod:
    """Over before now, with a quota."""
    end = (NOW - DAY).date()
    found = factories.period(end - timedelta(days=200), end, "Spring")
    factories.quota(transients, found, "1000")
    return found


@pytest.fixture
def current(transients: Group) -> AllocationPeriod:
    first = (NOW - 100 * DAY).date()
    found = factories.period(first, date(first.year + 1, first.month, 1), "This one")
    factories.quota(transients, found, "10")
    return found


@pytest.fixture
def statement(period: AllocationPeriod) -> Statement:
    return close_period(period, author=None, at=NOW)
