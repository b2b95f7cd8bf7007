"""What happens when a part is killed while people work."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psutil
import pytest
import requests

from tests.e2e.platform import Platform, wait_until

pytestmark = pytest.mark.hub

START = 180  # seconds that notebooks which start at once may take on a busy machine
BACK = 90  # seconds until a killed program runs again
KNOWN = 60  # seconds until the portal knows; the plugin waits longer from try to try


@pytest.fixture
def people(platform: Platform) -> Any:
    """Who works, and for which group; their servers are stopped at the end."""
    people = {"alice": "transients", "bob": "galaxies", "charlie": "solar-system"}
    yield people
    for name in people:
        with suppress(requests.RequestException, AssertionError):
            platform.stop_notebook(name)
    wait_until(lambda: not any(map(platform.has_server, people)), 60)


def sessions_since(platform: Platform, number: int) -> list[tuple[Any, ...]]:
    """What the portal has recorded after the session with that number."""
    return platform.rows(
        "SELECT user_name, key::text, ready_at IS NOT NULL, ended_at, end_source, group_id"
        " FROM hub_sessions_session WHERE number > %s ORDER BY user_name, number",
        number,
    )


def last_number(platform: Platform) -> int:
    [(number,)] = platform.rows("SELECT coalesce(max(number), 0) FROM hub_sessions_session")
    return int(number)


def test_a_killed_portal_misses_no_session_and_counts_none_twice(
    platform: Platform, people: dict[str, str]
) -> None:
    before = last_number(platform)
    for name in ("alice", "bob"):
        platform.start_notebook(name, people[name])
    wait_until(lambda: platform.is_ready("bob"), START, platform.said)
    platform.kill("portal")
    platform.stop_notebook("bob")
    platform.start_notebook("charlie", people["charlie"])
    wait_until(lambda: all(map(platform.is_ready, ("alice", "charlie"))), START, platform.said)
    running = {name: platform.session_of(name) for name in ("alice", "charlie")}
    wait_until(lambda: platform.is_up(f"{platform.portal_url}/healthz"), BACK, platform.said)

    def all_is_known() -> bool:
        found = sessions_since(platform, before)
        return [(row[0], row[2], row[3] is None) for row in found] == [
            ("alice", True, True),
            ("bob", True, False),
            ("charlie", True, True),
        ]

    wait_until(all_is_known, KNOWN, lambda: str(sessions_since(platform, before)))
    found = sessions_since(platform, before)
    assert {row[0]: row[1] for row in found if row[3] is None} == running
    assert all(row[5] is not None for row in found), "somebody works for no group"
    assert audit(platform) == 0


def test_a_killed_hub_keeps_its_running_sessions_and_ends_those_that_died(
    platform: Platform, people: dict[str, str]
) -> None:
    before = last_number(platform)
    for name, group in people.items():
        platform.start_notebook(name, group)
    wait_until(lambda: all(map(platform.is_ready, people)), START, platform.said)
    running = {name: platform.session_of(name) for name in people}
    lab = platform.lab("charlie")
    platform.kill("hub")
    lab.kill()
    psutil.wait_procs([lab], timeout=10)
    wait_until(lambda: not platform.is_up(f"{platform.hub_url}/hub/health"), BACK, platform.said)
    wait_until(lambda: platform.is_up(f"{platform.hub_url}/hub/health"), BACK, platform.said)

    def the_dead_is_closed() -> bool:
        return [row[0] for row in sessions_since(platform, before) if row[3]] == ["charlie"]

    wait_until(the_dead_is_closed, KNOWN, lambda: str(sessions_since(platform, before)))
    found = sessions_since(platform, before)
    assert {row[0]: row[1] for row in found} == running
    assert {name: platform.session_of(name) for name in ("alice", "bob")} == {
        name: running[name] for name in ("alice", "bob")
    }
    assert [row[4] for row in found] == ["", "", "stop"]
    assert len(platform.processes("idle-culler")) == 1
    assert audit(platform) == 0


def audit(platform: Platform) -> int:
    """The exit code of the proof that all sums agree."""
    return platform.manage("audit_usage").returncode
