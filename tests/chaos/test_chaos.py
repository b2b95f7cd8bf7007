"""Session truth under failure: a real hub, a portal, its database and worker, all killed at times.

CHAOS_SESSIONS, CHAOS_SECONDS, CHAOS_PLACES and CHAOS_SEED make it longer, wider or another one.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos import diary, observe, script
from tests.chaos.diary import Life
from tests.chaos.people import Person
from tests.chaos.script import Place, Script
from tests.chaos.site import SNAPSHOT_SECONDS, Clocks, Site
from tests.chaos.truth import BUSY, WHOLE_SECOND, Tolerance, faults
from tests.chaos.wire import State

pytestmark = pytest.mark.hub

SESSIONS = int(os.environ.get("CHAOS_SESSIONS", "200"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "90"))
PLACES = int(os.environ.get("CHAOS_PLACES", "24"))
SEED = int(os.environ.get("CHAOS_SEED", "20261121"))
LIMIT = 4 * SECONDS + 60  # seconds after which people stop, however far they came
SETTLE_SECONDS = 60.0  # until everything that can be known is known

CLOCKS = Clocks(hub=-170.0, portal=40.0, worker=-25.0)
MENDED = 170.0  # the hub's clock once somebody has mended it, too far


@pytest.fixture
def story() -> Script:
    print(f"CHAOS_SEED={SEED}")  # noqa: T201  # to tell the same story again
    return script.write(seed=SEED, sessions=SESSIONS, seconds=SECONDS, places=PLACES)


@pytest.fixture
def site(story: Script, tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "site", CLOCKS)
    try:
        made.begin(story.people)
        yield made
    finally:
        print(made.said())  # noqa: T201  # shown when the test fails
        made.end()


def test_records_keep_to_the_truth_whatever_is_killed(site: Site, story: Script) -> None:
    assert live_through(site, story) == SESSIONS
    settle(site)
    site.run("manage.py", "audit_usage")
    lose_the_outbox(site, story)
    site.run("manage.py", "audit_usage")


def live_through(site: Site, story: Script) -> int:
    """Let all people work while everything breaks; the number of sessions that they asked for."""
    over = threading.Event()
    stopper = threading.Timer(LIMIT, over.set)
    stopper.start()
    with ThreadPoolExecutor(len(story.stays)) as pool:
        working = [
            pool.submit(Person(site.hub, place).live, stays, over)
            for place, stays in story.stays.items()
        ]
        try:
            break_all(site, story)
        except BaseException:
            over.set()
            raise
        finally:
            numbers = [life.result() for life in working]
            stopper.cancel()
    return sum(numbers)


def break_all(site: Site, story: Script) -> None:
    began = time.monotonic()
    for trouble in story.troubles:
        time.sleep(max(0.0, began + trouble.at - time.monotonic()))
        site.break_down(trouble)


def settle(site: Site) -> None:
    """Wait until the outbox is empty and nothing contradicts the truth."""
    tolerance = Tolerance(CLOCKS.hub, site.absences)
    eventually(lambda: observe.waiting_events(site) == 0, lambda: "the outbox is not empty")

    def wrong() -> list[str]:
        return faults(lives(site), observe.records(site), observe.running(site), tolerance)

    eventually(lambda: not wrong(), lambda: "\n".join(wrong()))


def eventually(is_so: Callable[[], bool], explain: Callable[[], str]) -> None:
    limit = time.monotonic() + SETTLE_SECONDS
    while not is_so():
        assert time.monotonic() < limit, explain()
        time.sleep(1)


def lives(site: Site) -> list[Life]:
    return diary.read(site.hub.home / "labs")


# The second act


def lose_the_outbox(site: Site, story: Script) -> None:
    """The line is cut, the hub is killed, its outbox is gone, and its clock is mended too far.

    One server starts and one ends meanwhile, one does both, and one ends while the hub is away.
    """
    before = {record.session: record for record in observe.records(site)}
    runs = [life for life in lives(site) if life.session in observe.running(site)]
    ends, dies, *stay = runs
    free = [p for p in story.stays if p.server != script.BROKEN and p not in places(runs)]
    site.wire.set(State.CUT)
    Person(site.hub, ends.place).stop()
    Person(site.hub, free[0]).start()
    Person(site.hub, free[1]).start()
    Person(site.hub, free[1]).stop()
    site.kill_hub()
    diary.kill(dies)
    for file in site.hub.home.glob("outbox.sqlite*"):
        file.unlink()
    site.hub.variables = site.skew(MENDED)
    site.start_hub()
    site.wire.set(State.WHOLE)

    [unseen] = [life for life in lives(site) if life.place == free[0] and life.ended is None]
    eventually(lambda: repaired(site, [ends, dies], unseen), lambda: str(observe.repairs(site)))
    after = {record.session: record for record in observe.records(site)}
    known = before.keys() - {ends.session, dies.session}
    assert {session: after[session] for session in known} == {s: before[s] for s in known}
    for life in lives(site):
        if life.session in (ends.session, dies.session):
            assert_near(site, life, after[life.session].ended)
    assert after[ends.session].source in {"snapshot", "rest"}
    assert {life.session for life in stay} <= {s for s, r in after.items() if r.ended is None}


def repaired(site: Site, ended: list[Life], unseen: Life) -> bool:
    """Both ends were found, the server without events is adopted or told, the loss is told."""
    found = {record.session for record in observe.records(site) if record.ended}
    told = observe.repairs(site)
    is_adopted = unseen.place in observe.places_that_run(site)
    is_told = is_adopted or unseen.place.user in told.get("unrecorded", "")
    return {life.session for life in ended} <= found and is_told and "lost" in told


def assert_near(site: Site, life: Life, recorded: int | None) -> None:
    """An end that nobody reported: not before the truth, not after the first two lists."""
    assert recorded is not None
    assert life.ended is not None
    earliest = life.ended + CLOCKS.hub - WHOLE_SECOND
    latest = site.absences[-1].until + 2 * SNAPSHOT_SECONDS + BUSY + MENDED
    assert earliest <= recorded <= latest, (life, recorded)


def places(lives: list[Life]) -> set[Place]:
    return {life.place for life in lives}
