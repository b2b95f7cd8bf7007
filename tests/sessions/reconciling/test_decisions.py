"""What a hub's list means beside the records, decided without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.hub.pages import Listing, Server
from sessions.hub.seats import seat
from sessions.models import Repair
from sessions.reconciling.decisions import Finding, Margins, Open, believed, confidence, find

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NO_TIME = timedelta(0)


def server(user: str, started: datetime | None = NOW - HOUR, *, ready: bool = True) -> Server:
    return Server(user, "", ready, None if ready else "spawn", started)


def runs(user: str, ready_at: datetime | None = NOW - HOUR) -> Open:
    return Open(seat(user, ""), ready_at)


def found(servers: list[Server], sessions: list[Open], hub_time: datetime | None = NOW) -> Finding:
    listing = Listing(tuple(servers), hub_time, took=timedelta(seconds=2))
    return find(listing, sessions, asked_at=NOW, margins=Margins(20, 30))


def crowd(size: int) -> list[str]:
    return [f"user-{number}" for number in range(size)]


def test_a_list_that_agrees_with_the_records_says_nothing_new() -> None:
    finding = found([server("alice"), server("bob")], [runs("alice"), runs("bob")])
    assert finding == Finding(NOW - 2 * SECOND, running=2, missing=0, unrecorded=(), doubt="")


def test_what_the_list_lacks_is_missing() -> None:
    assert found([server("alice")], [runs("alice"), runs("bob")]).missing == 1


def test_what_waits_or_came_later_is_not_missing() -> None:
    assert (
        found([], [runs("alice", None), runs("bob", NOW), runs("eve", NOW + MINUTE)]).missing == 0
    )


@pytest.mark.parametrize(
    ("started", "missing"),
    [(None, 0), (NOW - HOUR, 0), (NOW - HOUR + MINUTE, 0), (NOW - HOUR + 2 * MINUTE, 1)],
    ids=["not said", "as it became ready", "within the margin", "after it"],
)
def test_a_server_that_started_later_is_another_one(started: datetime | None, missing: int) -> None:
    assert found([server("bob", started)], [runs("bob")]).missing == missing


class TestServersWithoutASession:
    def test_they_are_found(self) -> None:
        assert found([server("bob")], []).unrecorded == (server("bob"),)

    def test_one_that_took_the_place_of_another_is(self) -> None:
        finding = found([server("bob", NOW - HOUR)], [runs("bob", NOW - 2 * HOUR)])
        assert (finding.missing, len(finding.unrecorded)) == (1, 1)

    @pytest.mark.parametrize(
        "listed",
        [server("bob", NOW - MINUTE), server("bob", None), server("bob", ready=False)],
        ids=["its events may be on their way", "nobody knows since when", "on its way up"],
    )
    def test_others_are_not(self, listed: Server) -> None:
        assert found([listed], []).unrecorded == ()

    def test_one_that_is_waited_for_is_not(self) -> None:
        assert (
            found([server("bob")], [runs("bob", NOW - 3 * HOUR), runs("bob", None)]).unrecorded
            == ()
        )


class TestDoubts:
    @pytest.mark.parametrize(
        ("running", "listed", "doubt"),
        [
            (10, 0, ""),
            (11, 0, "empty"),
            (100, 89, ""),
            (55, 44, ""),
            (54, 43, "crowd"),
            (2, 0, ""),
        ],
    )
    def test_a_large_share_is_rather_a_mistake(self, running: int, listed: int, doubt: str) -> None:
        names = crowd(running)
        finding = found([server(name) for name in names[:listed]], [runs(name) for name in names])
        assert finding.doubt == doubt

    @pytest.mark.parametrize(("size", "doubt"), [(2, ""), (3, "other_hub"), (30, "other_hub")])
    def test_a_hub_that_has_none_of_its_servers_is_another_hub(self, size: int, doubt: str) -> None:
        strangers = [server(f"stranger-{number}") for number in range(size)]
        assert found(strangers, [runs(name) for name in crowd(size)]).doubt == doubt

    @pytest.mark.parametrize(
        ("seconds", "doubt"), [(0, ""), (-30, ""), (32, ""), (-31, "clock"), (33, "clock")]
    )
    def test_a_clock_may_be_off_by_a_margin(self, seconds: int, doubt: str) -> None:
        assert found([], [], NOW + timedelta(seconds=seconds)).doubt == doubt

    def test_a_hub_that_says_no_time_is_believed(self) -> None:
        assert found([], [], None).doubt == ""

    @pytest.mark.parametrize("ahead", [-9, 0, 9])
    def test_the_list_is_of_the_question_by_the_hubs_clock(self, ahead: int) -> None:
        hub_time = NOW + ahead * SECOND
        assert found([], [], hub_time).time == hub_time - 2 * SECOND


@pytest.mark.parametrize(
    ("doubts", "by_repetition", "if_confirmed"),
    [
        ([""], 1, 1),
        (["crowd", ""], 1, 1),
        (["crowd"], 0, 1),
        (["crowd", "crowd"], 0, 2),
        (["empty", "crowd", "empty"], 3, 3),
        (["crowd", "clock", "crowd", "crowd"], 0, 2),
        (["other_hub"] * 5, 0, 5),
        (["other_hub", "crowd", "crowd", "crowd"], 3, 3),
        (["clock"] * 5, 0, 0),
        (["crowd", "crowd", "crowd", "clock"], 0, 0),
    ],
)
def test_what_is_believed_after_all(
    doubts: list[str], by_repetition: int, if_confirmed: int
) -> None:
    assert believed(doubts, confirmed=False) == by_repetition
    assert believed(doubts, confirmed=True) == if_confirmed


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (15 * MINUTE, Repair.Confidence.HIGH),
        (16 * MINUTE, Repair.Confidence.MEDIUM),
        (7 * HOUR, Repair.Confidence.LOW),
    ],
)
def test_the_longer_nobody_looked_the_less_is_known(
    gap: timedelta, expected: Repair.Confidence
) -> None:
    assert confidence(NOW, NOW - gap) == expected


NAMES = st.sets(st.sampled_from(crowd(40)))


@given(running=NAMES, listed=NAMES)
def test_no_more_than_the_allowed_share_ever_ends_by_one_list(
    running: set[str], listed: set[str]
) -> None:
    finding = found([server(name) for name in listed], [runs(name) for name in running])
    assert finding.missing == len(running - listed)
    assert {one.user for one in finding.unrecorded} == listed - running
    if not finding.doubt:
        assert finding.missing <= max(10, len(running) * 20 // 100)
