"""Events hold what the portal takes."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from lsp_hub.events import event, exit_code, short_text, time_text
from tests.hub_plugin.contract import faults_of


def test_an_event_has_an_identity_and_leaves_out_what_is_not_known() -> None:
    at = datetime(2026, 5, 1, 8, 0, 20, 999_999, tzinfo=UTC)
    first, second = (
        json.loads(event("user.login", at=at, user="alice", data={"remote_ip": None}))
        for _ in range(2)
    )
    assert first.pop("id") != second.pop("id")
    assert first == {
        "type": "user.login",
        "time": "2026-05-01T08:00:20Z",
        "user": "alice",
        "data": {},
    }


def test_times_are_whole_seconds_of_utc() -> None:
    summer = timezone(timedelta(hours=2))
    assert time_text(datetime(2026, 5, 1, 10, 0, 20, tzinfo=summer)) == "2026-05-01T08:00:20Z"


def test_text_is_cut_to_what_the_contract_allows() -> None:
    assert short_text("a\0b" * 1000) == ("ab" * 1000)[:1024]


@pytest.mark.parametrize(
    ("status", "code"),
    [(0, 0), (3, 3), (-9, 137), (True, None), ("gone", None), (None, None), (2**31, None)],
)
def test_an_exit_status_becomes_a_number_from_zero(status: object, code: int | None) -> None:
    assert exit_code(status) == code


def test_the_strict_reader_of_these_tests_sees_faults() -> None:
    good = {
        "id": "evt_" + "0" * 32,
        "epoch": "0" * 32,
        "seq": 1,
        "type": "session.stopped",
        "time": "2026-05-01T08:00:20Z",
        "user": "alice",
        "server": "",
        "session": "0a4cd8f1-41a7-4bd5-9bd7-d5fbdd58e4b1",
        "data": {"reason": "user"},
    }
    assert faults_of(good) == []
    wrongs: list[dict[str, Any]] = [{"seq": 0}, {"epoch": "x"}, {"data": {}}, {"type": "paused"}]
    for wrong in wrongs:
        assert faults_of(good | wrong)
