"""Whatever the order, the repetitions and the batches: the records are those of the oracle."""

from __future__ import annotations

import os
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Group, User
from sessions.hub.seats import seat
from sessions.models import Hub, Session
from tests.sessions.events import oracle
from tests.sessions.events.sender import START, Event, Sender, key, make_sender
from tests.sessions.events.stored import charged, stored_charges, stored_records

HUBS = count(1)
SECONDS = st.integers(min_value=0, max_value=12)
USERS = st.sampled_from(["bob", "bob", "bob", "charlie", "nobody"])


@st.composite
def stories(draw: st.DrawFn) -> tuple[str, Any]:
    """A recipe of events: kind, moment, session, user, and what else the kind needs."""
    kind = draw(st.sampled_from(["requested", "ready", "stopped", "failed"] * 3 + ["snapshot"] * 5))
    if kind == "snapshot":
        snapshot: dict[str, Any] = {
            "seconds": SECONDS,
            "name": st.sampled_from("abcd"),
            "sessions": st.lists(st.integers(1, 4), max_size=3, unique=True),
            "users": st.sampled_from([(), (), ("bob",)]),
        }
        part, parts = draw(st.sampled_from([(1, 1), (1, 1), (1, 2), (2, 2)]))
        return kind, draw(st.fixed_dictionaries(snapshot)) | {"part": part, "parts": parts}
    fields: dict[str, Any] = {"seconds": SECONDS, "session": st.integers(1, 4), "user": USERS}
    if kind == "requested":
        fields["group"] = st.sampled_from(["transients", "galaxies", "unknown"])
        fields["checked"] = st.booleans()
        fields["resources"] = st.sampled_from(
            [None, {"cpu_millicores": 500, "memory_mib": 1024, "gpus": 0}]
        )
    return kind, draw(st.fixed_dictionaries(fields))


def told(sender: Sender, story: list[tuple[str, Any]]) -> list[Event]:
    return [getattr(sender, kind)(**fields) for kind, fields in story]


def crowd(sender: Sender, size: int) -> list[Event]:
    """Servers of many people that were ready before everything else, on seats of their own."""
    return [sender.ready(-1, 100 + number, f"person-{number}") for number in range(size)]


def in_pieces(events: list[Event], random: Random) -> list[list[Event]]:
    """The events shuffled, some of them repeated, in batches of any size."""
    pile = events + random.choices(events, k=random.randint(0, len(events)))
    random.shuffle(pile)
    pieces = []
    while pile:
        size = random.choice((1, 1, 2, 5, 40))
        pieces.append(pile[:size])
        del pile[:size]
    return pieces


def grant(hub: Hub, session: int) -> None:
    """The portal granted this session to Bob, charged to galaxies."""
    Session.objects.create(
        hub=hub,
        key=key(session),
        user_name="bob",
        seat=seat("bob", ""),
        user=User.objects.get(username="bob"),
        group=Group.objects.get(name="galaxies"),
        granted_group=Group.objects.get(name="galaxies"),
        granted_at=START,
        lease_until=START,
        cpu_millicores=2000,
        memory_mib=4096,
        gpus=0,
    )


def expected(events: list[Event], granted: set[UUID]) -> dict[UUID, oracle.Record]:
    def attribution(
        session: UUID, user_name: str, request: Event | None
    ) -> tuple[str | None, str | None]:
        user = user_name if user_name in ("alice", "bob", "charlie") else None
        if session in granted and (request is None or request["data"]["checked"]):
            return user, "galaxies"
        member = user in ("alice", "bob") and request is not None
        in_group = member and request is not None and request["data"]["group"] == "transients"
        return user, "transients" if in_group else None

    return oracle.records(events, attribution)


def with_granted_resources(
    records: dict[UUID, oracle.Record], granted: set[UUID]
) -> dict[UUID, oracle.Record]:
    for session in granted & records.keys():
        record = records[session]
        if record.cpu_millicores is None:
            records[session] = oracle.Record(**{**vars(record), "cpu_millicores": 2000})
    return records


STORIES = settings(
    max_examples=int(os.environ.get("EVENT_STORIES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@STORIES
@given(
    story=st.lists(stories(), min_size=1, max_size=16),
    people=st.sampled_from([0, 0, 9, 10, 11, 12]),
    grants=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_records_follow_from_the_set_of_events_alone(
    sender: Sender, story: list[tuple[str, Any]], people: int, grants: bool, random: Random
) -> None:
    hub = make_sender(f"hub{next(HUBS)}")
    granted = {key(1)} if grants else set()
    if grants:
        grant(hub.hub, 1)
    events = crowd(hub, people) + told(hub, story)
    for piece in in_pieces(events, random):
        hub.take_in(piece)
    assert_told(hub.hub, events, granted)


@STORIES
@given(
    ends=st.lists(st.none() | st.integers(1, 12), min_size=9, max_size=13),
    lists=st.lists(st.sampled_from(["none"] * 5 + ["one", "all"]), min_size=2, max_size=8),
    random=st.randoms(use_true_random=False),
)
def test_a_crowd_ends_by_empty_snapshots_only_as_the_contract_says(
    sender: Sender, ends: list[int | None], lists: list[str], random: Random
) -> None:
    """Nine to thirteen servers, around the number up to which one empty snapshot is believed."""
    hub = make_sender(f"hub{next(HUBS)}")
    keys = [100 + number for number in range(len(ends))]
    events = crowd(hub, len(ends))
    events += [
        hub.stopped(end, number, f"person-{number - 100}")
        for number, end in zip(keys, ends, strict=True)
        if end is not None
    ]
    for place, listed in enumerate(lists):
        sessions = {"none": [], "one": keys[:1], "all": keys}[listed]
        events.append(hub.snapshot(2 * place, f"snapshot {place}", sessions))
    for piece in in_pieces(events, random):
        hub.take_in(piece)
    assert_told(hub.hub, events, set())


def assert_told(hub: Hub, events: list[Event], granted: set[UUID]) -> None:
    """The hub's records and charges are those that follow from the events."""
    stored = {
        session: record
        for session, record in stored_records(hub).items()
        if record.requested or record.ready or record.stopped
    }
    wanted = with_granted_resources(expected(events, granted), granted)
    assert stored == wanted
    charges = {session: charge for session, r in wanted.items() if (charge := charged(r))}
    assert stored_charges(hub) == charges
