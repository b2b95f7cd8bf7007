"""Administrators see what was repaired, and everybody which hubs are silent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from sessions.models import Repair, Session, Snapshot
from tests import factories
from tests.cast import Cast

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)

Visit = Callable[[User, str], str]


@pytest.fixture
def visit() -> Visit:
    def opened(who: User, path: str) -> str:
        client = Client()
        with time_machine.travel(NOW, tick=False):
            client.force_login(who)
            answer: Any = client.get(path)
        assert answer.status_code == 200
        text: str = answer.content.decode()
        return text

    return opened


def ended(cast: Cast, **values: Any) -> Session:
    times = {"ready_at": NOW - 3 * HOUR, "ended_at": NOW - HOUR, "absent_at": NOW - HOUR}
    known = {**times, "stopped_at": None, "end_source": "rest", "end_reason": "", **values}
    return factories.session(cast.hub, cast.bob, cast.transients, **known)


def repaired(cast: Cast, session: Session | None, **values: Any) -> Repair:
    known = {
        "kind": "ended",
        "user_name": "bob",
        "moment": NOW - HOUR,
        "said": "The hub lacks it.",
        "changed": "Ended.",
        "confidence": "high",
        "found_at": NOW - HOUR,
    }
    return Repair.objects.create(hub=cast.hub, session=session, **(known | values))


def test_dora_reads_what_the_hub_said_and_what_was_changed(cast: Cast, visit: Visit) -> None:
    repaired(cast, ended(cast))
    page = visit(cast.dora, "/overview/repairs/")
    assert "The hub lacks it." in page
    assert "Later evidence" not in page
    assert "1 in the last 7 days" in visit(cast.dora, "/overview/")


def test_the_page_says_when_the_hubs_own_word_came_after_all(cast: Cast, visit: Visit) -> None:
    stop = {"ended_at": NOW - 2 * HOUR, "stopped_at": NOW - 2 * HOUR, "end_source": "stop"}
    repaired(cast, ended(cast, **stop))
    assert "Later evidence counts instead" in visit(cast.dora, "/overview/repairs/")


@pytest.mark.parametrize(
    ("query", "is_shown"),
    [
        ("q=bob&hub=demo&kind=ended&confidence=high", True),
        ("q=alice", False),
        ("kind=unrecorded", False),
        ("confidence=low", False),
        ("hub=nowhere", True),
        ("group=transients&first=2026-05-01&last=2026-05-01", True),
        ("group=galaxies", False),
        ("first=2026-05-02", False),
        ("last=2026-04-30", False),
        ("first=soon", True),
        ("page=99", True),
    ],
)
def test_the_list_is_narrowed(cast: Cast, visit: Visit, query: str, is_shown: bool) -> None:
    repaired(cast, ended(cast))
    assert ("The hub lacks it." in visit(cast.dora, f"/overview/repairs/?{query}")) == is_shown


def test_alice_sees_the_repairs_of_her_groups_sessions_and_bob_none(
    cast: Cast, visit: Visit
) -> None:
    repaired(cast, ended(cast))
    elsewhere = factories.session(cast.hub, cast.charlie, cast.solar_system, server="lab")
    repaired(cast, elsewhere, said="Not for Alice.")
    for query in ("", "?group=transients"):
        page = visit(cast.alice, f"/overview/repairs/{query}")
        assert "The hub lacks it." in page
        assert "Not for Alice." not in page
    assert "/overview/repairs/?group=transients" in visit(cast.alice, "/groups/transients/")
    browser = Client()
    for who, query, status in ((cast.alice, "?group=solar-system", 404), (cast.bob, "", 403)):
        browser.force_login(who)
        assert browser.get(f"/overview/repairs/{query}").status_code == status


def test_repairs_are_counted_by_hub_and_kind(cast: Cast) -> None:
    repaired(cast, ended(cast))
    repaired(cast, None, kind="unrecorded", seat="1" * 32)
    repaired(cast, None, kind="unrecorded", seat="2" * 32)
    assert Repair.objects.counts() == {("demo", "ended"): 1, ("demo", "unrecorded"): 2}


def test_more_repairs_cost_no_more_queries(
    cast: Cast, visit: Visit, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    repaired(cast, ended(cast))
    with CaptureQueriesContext(connection) as few:
        visit(cast.dora, "/overview/repairs/")
    for number in range(60):
        repaired(cast, ended(cast, server=f"lab-{number}"))
    with django_assert_num_queries(len(few)):
        assert "Page 1 of 2" in visit(cast.dora, "/overview/repairs/")


@pytest.mark.parametrize(("minutes", "is_silent"), [(15, False), (16, True)])
def test_pages_say_that_what_they_know_of_a_silent_hub_is_old(
    cast: Cast, visit: Visit, minutes: int, is_silent: bool
) -> None:
    Snapshot.objects.create(
        hub=cast.hub,
        name="s",
        key="0" * 32,
        time=NOW - timedelta(minutes=minutes),
        parts=1,
        is_complete=True,
    )
    visits = [(cast.bob, "/my/"), (cast.alice, "/groups/transients/"), (cast.dora, "/overview/")]
    for who, path in visits:
        assert ("Demo was last heard at" in visit(who, path)) == is_silent


def test_a_hub_that_never_told_what_runs_is_not_called_silent(cast: Cast, visit: Visit) -> None:
    assert "was last heard" not in visit(cast.dora, "/overview/")
