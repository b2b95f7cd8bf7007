"""What a quota or a cap would have done to the past, for administrators."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounting import usage
from accounting.pages import replay
from accounting.replay.history import months_before
from accounting.replay.report import report
from accounting.usage import Window
from accounts.models import Group, User
from quotas.replay import Mode, Policy
from sessions.models import Hub
from tests import factories
from tests.accounting.visits import DAY, HOUR, NOW, rows, text, visit

pytestmark = pytest.mark.django_db

CORE_HOUR = 3_600_000
PATH = "/overview/replay/"


@pytest.fixture
def hub(db: None) -> Hub:
    return factories.hub()


@pytest.fixture
def ten_days(alice: User, bob: User, transients: Group, hub: Hub) -> None:
    """Alice works one hour on each of ten days, and Bob for two beside her on the last."""
    for day in range(10, 0, -1):
        factories.charged_session(hub, alice, transients, ready_at=NOW - day * DAY)
    begin = NOW - DAY + timedelta(minutes=30)
    factories.charged_session(hub, bob, transients, ready_at=begin, ended_at=begin + 2 * HOUR)


def command(*words: str) -> str:
    out = io.StringIO()
    with time_machine.travel(NOW, tick=False):
        call_command("replay_quota", *words, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("ten_days")
def test_the_history_is_what_was_used(transients: Group) -> None:
    found = report(None, Policy(), months=1, at=NOW)
    window = Window(months_before(1, at=NOW), NOW, NOW)
    assert found.used == usage.total(window).millicore_seconds == 12 * CORE_HOUR
    assert (found.not_used, found.refused, found.stopped) == (0, 0, 0)


@pytest.mark.usefixtures("ten_days")
def test_a_soft_quota_of_eight_hours_refuses_the_last_two_days(dora: User) -> None:
    page = text(dora, PATH, months=1, core_hours="8", mode="soft")
    assert 'title="4.000000 core-hours"' in page
    [line] = rows(dora, PATH, "by-group", months=1, core_hours="8", mode="soft")
    assert line[1:5] == ["12.000000", "4.000000", "3", "0"]
    assert "80 % on 2026-04-27" in line[5]
    assert "alice" in line[5]
    events = rows(dora, PATH, "events", months=1, core_hours="8", mode="soft")
    assert [(row[2], row[4], row[5]) for row in events] == [
        ("alice", "refused: the quota is used up", "1.000000"),
        ("alice", "refused: the quota is used up", "1.000000"),
        ("bob", "refused: the quota is used up", "2.000000"),
    ]


@pytest.mark.usefixtures("ten_days")
def test_a_hard_quota_stops_bob_too() -> None:
    """Ten hours and a half are used when both work: the half hour together uses one."""
    found = report(None, Policy(quota=10 * CORE_HOUR, mode=Mode.HARD), months=1, at=NOW)
    [alice, bob] = sorted(found.events(), key=lambda event: event.user)
    assert (alice.what, bob.what, alice.at) == ("stopped", "stopped", NOW - DAY + 0.75 * HOUR)
    assert (alice.not_used, bob.not_used) == (CORE_HOUR // 4, 7 * CORE_HOUR // 4)


@pytest.mark.usefixtures("ten_days")
def test_one_session_at_once_refuses_bob(dora: User) -> None:
    [event] = rows(dora, PATH, "events", months=1, mode="soft", group_sessions=1)
    assert event[4] == "refused: the group runs as many sessions as it may"


@pytest.mark.usefixtures("ten_days")
def test_what_is_not_used_is_drawn_on_its_days() -> None:
    found = report(None, Policy(quota=8 * CORE_HOUR), months=1, at=NOW)
    days = found.not_used_by_day()
    assert days == {
        (NOW - 2 * DAY).date(): CORE_HOUR,
        (NOW - DAY).date(): 3 * CORE_HOUR,
    }


@pytest.mark.usefixtures("ten_days")
def test_the_file_has_warnings_refusals_and_stops(dora: User) -> None:
    answer = visit(dora, "/overview/replay.csv", months=1, core_hours="8", mode="soft")
    table = list(csv.reader(io.StringIO(answer.content.decode())))
    assert [row[0] for row in table] == ["what", *["warned"] * 3, *["refused"] * 3]
    assert table[1][:4] == ["warned", "2026-04-27T08:24:00Z", "transients", "alice"]
    assert table[-1][-1] == "2.000000"


@pytest.mark.usefixtures("ten_days")
def test_the_command_says_the_same() -> None:
    said = command("--core-hours", "8", "--months", "1")
    assert said == (
        "From 2026-04-01 on: 3 launches refused, 0 sessions stopped, 3 warnings; "
        "4.000000 of 12.000000 core-hours not used.\n"
    )
    assert command("transients", "--core-hours", "8", "--csv").count("refused,") == 3


@pytest.mark.parametrize(
    "wrong", [["nobody"], ["--months", "0"], ["--core-hours", "-1"], ["--mode", "strict"]]
)
def test_the_command_refuses_what_the_page_would(wrong: list[str]) -> None:
    with pytest.raises(CommandError):
        command(*wrong)


def test_a_wrong_wish_is_told_beside_its_field(dora: User) -> None:
    page = text(dora, PATH, months=99, mode="soft")
    assert "less than or equal to 24" in page
    assert visit(dora, "/overview/replay.csv", months=99, mode="soft").status_code == 400


@pytest.mark.usefixtures("ten_days")
def test_more_than_a_page_can_wait_for_is_told(dora: User, monkeypatch: pytest.MonkeyPatch) -> None:
    wish: dict[str, Any] = {"months": 1, "mode": "soft", "core_hours": "8"}
    monkeypatch.setattr(replay, "MOST_CHARGES", 11)
    assert "By group" in text(dora, PATH, **wish)
    monkeypatch.setattr(replay, "MOST_CHARGES", 10)
    page = text(dora, PATH, **wish)
    assert "more than 10 charges in this time" in page
    assert "By group" not in page
    assert visit(dora, "/overview/replay.csv", **wish).status_code == 400


def test_the_page_says_what_it_assumes(dora: User) -> None:
    assert "A launch that is refused is not asked again" in text(dora, PATH)


def test_only_administrators_ask(alice: User) -> None:
    assert visit(alice, PATH).status_code in (302, 403, 404)


def test_more_sessions_and_groups_cost_no_further_queries(dora: User, hub: Hub) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(dora, PATH, months=1, core_hours="0.1", mode="soft")
        return len(captured)

    def work() -> None:
        group = factories.group()
        factories.membership(factories.user(), group, "pi")
        for day in range(1, 5):
            factories.charged_session(hub, factories.user(), group, ready_at=NOW - day * DAY)

    work()
    before = queries()
    for _ in range(4):
        work()
    assert queries() == before
