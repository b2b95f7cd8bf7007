"""Adding evidence never makes a record worse, whatever was lost and in whatever order it comes.

The error of a record is the distance of its interval from the true one: how far its start and its
end lie from the true ones, in seconds. A session of which it is not known that it was ready has an
infinite error; one that runs by the record ends at the horizon. Two things are outside, because
nobody could know them: more than ten servers that vanish at once (an empty list is not believed
then), and a server that starts less than a minute after the one before it in its place was ready
(an answer of the hub's API cannot tell them apart).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count, pairwise
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions.hub.secrets import issue_secret
from sessions.models import Charge, Hub, Session
from sessions.reconciling.reconcile import reconcile
from tests.sessions.events.conftest import make_people
from tests.sessions.events.sender import START, Sender, key, make_sender
from tests.sessions.reconciling.listing_hub import ListingHub, listing_hub

HORIZON = 10_000
TOLD_APART = 61  # seconds from a ready to the next start in the same place
UNKNOWN = float("inf")
HUBS = count(1)
PEOPLE = ["alice", "bob", "charlie"]

Evidence = Callable[[], object]


@dataclass(frozen=True)
class Truth:
    """A session as it was; seconds after the beginning of the story."""

    number: int
    user: str
    requested: int
    ready: int | None
    ended: int

    def is_there(self, at: int) -> bool:
        return self.requested <= at < self.ended


@dataclass(frozen=True)
class Step:
    """The next session in a place: after how long, how long it starts and works."""

    gap: int
    starting: int
    length: int
    becomes_ready: bool


STEPS = st.builds(
    Step, st.integers(0, 90), st.integers(0, 20), st.integers(0, 200), st.sampled_from([1, 1, 1, 0])
)
PLACES = st.lists(st.lists(STEPS, min_size=1, max_size=3), min_size=1, max_size=3)
LISTS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 900)), max_size=10, unique_by=lambda x: x[1]
)


@pytest.fixture
def listing() -> Iterator[ListingHub]:
    with listing_hub() as hub:
        yield hub


@pytest.fixture
def people(db: None) -> None:
    make_people()


def lived(places: list[list[Step]], *, last_runs: bool) -> list[Truth]:
    """The true sessions of each place, one after the other."""
    numbers, truths = count(1), []
    for user, steps in zip(PEOPLE, places, strict=False):
        now = 0
        for place, step in enumerate(steps):
            requested = now + step.gap
            ready = requested + step.starting if step.becomes_ready else None
            runs = last_runs and place == len(steps) - 1 and ready is not None
            ended = HORIZON if runs else requested + step.starting + step.length
            truths.append(Truth(next(numbers), user, requested, ready, ended))
            now = max(ended, (ready or 0) + TOLD_APART)
    return truths


class World:
    """What a hub could say of the truth, piece by piece."""

    def __init__(self, hub: Sender, listing: ListingHub, truths: list[Truth]) -> None:
        self.hub, self.listing, self.truths = hub, listing, truths

    def evidence(self, lists: list[tuple[bool, int]]) -> list[Evidence]:
        events = [event for truth in self.truths for event in self._events(truth)]
        return events + [self._answer(at) if asked else self._snapshot(at) for asked, at in lists]

    def _events(self, truth: Truth) -> Iterator[Evidence]:
        number, user = truth.number, truth.user
        made = [self.hub.requested(truth.requested, number, user)]
        if truth.ready is not None:
            made.append(self.hub.ready(truth.ready, number, user))
        if truth.ended < HORIZON:
            end = self.hub.failed if truth.ready is None else self.hub.stopped
            made.append(end(truth.ended, number, user))
        for event in made:
            yield partial(self.hub.take_in, [event])

    def _snapshot(self, at: int) -> Evidence:
        there = [truth.number for truth in self.truths if truth.is_there(at)]
        event = self.hub.snapshot(at, f"snapshot {at}", there)
        return lambda: self.hub.take_in([event])

    def _answer(self, at: int) -> Evidence:
        moment = START + timedelta(seconds=at)
        servers = {
            truth.user: START + timedelta(seconds=truth.requested)
            for truth in self.truths
            if truth.is_there(at)
        }

        def ask() -> None:
            self.listing.servers, self.listing.date = servers, moment
            assert reconcile(self.hub.hub, at=moment, confirmed=True)

        return ask

    def errors(self) -> dict[int, float]:
        """The error of each session's record; seconds."""
        stored = {session.key: session for session in Session.objects.filter(hub=self.hub.hub)}
        return {t.number: error(t, stored.get(key(t.number))) for t in self.truths}


def error(truth: Truth, record: Session | None) -> float:
    if truth.ready is None:
        return UNKNOWN if record is not None and record.ready_at else 0
    if record is None or record.ready_at is None:
        return UNKNOWN
    ready = (record.ready_at - START).total_seconds()
    ended = (record.ended_at - START).total_seconds() if record.ended_at else HORIZON
    return abs(ready - truth.ready) + abs(ended - truth.ended)


@settings(
    max_examples=int(os.environ.get("EVIDENCE_STORIES", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    places=PLACES,
    last_runs=st.booleans(),
    lists=LISTS,
    lost=st.sets(st.integers(0, 40)),
    random=st.randoms(use_true_random=False),
)
def test_more_evidence_never_makes_a_record_worse(
    people: None,
    listing: ListingHub,
    places: list[list[Step]],
    last_runs: bool,
    lists: list[tuple[bool, int]],
    lost: set[int],
    random: Random,
) -> None:
    hub = make_sender(f"hub{next(HUBS)}")
    issue_secret(hub.hub, START - timedelta(minutes=1))
    hub.hub.api_url = listing.url
    hub.hub.save(update_fields=["api_url"])
    world = World(hub, listing, lived(places, last_runs=last_runs))
    pieces = [p for n, p in enumerate(world.evidence(lists)) if n not in lost]
    random.shuffle(pieces)
    before, seen = world.errors(), set[object]()
    for piece in pieces:
        piece()
        after = world.errors()
        assert all(after[number] <= before[number] for number in after), (before, after)
        before, seen = after, assert_whole(hub.hub, seen)


def assert_whole(hub: Hub, seen: set[object]) -> set[object]:
    """No session vanishes, each is charged at most once, and no place twice at once."""
    now: set[object] = set(Session.objects.filter(hub=hub).values_list("key", flat=True))
    assert seen <= now
    charges = Charge.objects.filter(session__hub=hub).order_by("session__seat", "started_at")
    rows = list(charges.values_list("session__seat", "session__key", "started_at", "ended_at"))
    assert len({session for _, session, _, _ in rows}) == len(rows)
    for (seat, _, _, ended), (other, _, started, _) in pairwise(rows):
        assert seat != other or (ended is not None and ended <= started)
    return now
