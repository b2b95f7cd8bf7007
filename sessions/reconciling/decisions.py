"""What a hub's list of servers means beside the records: pure decisions.

Times of servers and of sessions are by the hub's clock, durations in the fields' names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import cast
from uuid import UUID

from lsp_portal.lib.crowds import is_crowd
from sessions.hub.pages import Listing, Server
from sessions.hub.seats import seat
from sessions.models import HubReading, Repair

Doubt = HubReading.Doubt
REPEATS = 3  # so many doubtful answers in a row are believed
KNOWN_BY_SIGHT = 3  # servers from which on a hub is recognised by them
ANOTHER = timedelta(minutes=1)  # a server that started so long after a ready is another one
LONGEST = timedelta(days=30)  # a start before that is not taken on trust
EVENTS_TAKE = timedelta(minutes=5)  # until then a server's events may be on their way
SEEN_LATELY = timedelta(minutes=15)
SEEN_TODAY = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Open:
    """A session that runs or waits by the records; `ready_at` None while it waits."""

    seat: UUID
    ready_at: datetime | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """A list of servers: the places that were taken, and since when where the hub said."""

    time: datetime
    places: Mapping[UUID, datetime | None]


@dataclass(frozen=True, slots=True)
class Begin:
    """From when a server is a session; `is_start`: from its start by the hub."""

    at: datetime
    is_start: bool


@dataclass(frozen=True, slots=True)
class Margins:
    """What is let pass: the share of ends in percent, the clock in seconds."""

    ends_percent: int
    clock_seconds: int


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer beside the records, and what is doubtful about it: empty where it is believed."""

    time: datetime
    running: int
    missing: int
    unrecorded: tuple[Server, ...]
    doubt: str


def find(
    listing: Listing, open_sessions: Sequence[Open], *, asked_at: datetime, margins: Margins
) -> Finding:
    """Compare the answer to a question of that moment with the records."""
    time = _time_of(listing, asked_at)
    starts = {seat(s.user, s.server): s.started_at for s in listing.servers}
    running = [s for s in open_sessions if s.ready_at is not None and s.ready_at < time]
    missing = [s for s in running if not _is_listed(s, starts)]
    doubt = _clock_doubt(listing, asked_at, margins) or _crowd_doubt(
        len(listing.servers), len(running), len(missing), margins
    )
    unrecorded = _unrecorded(listing, open_sessions, time)
    return Finding(time, len(running), len(missing), unrecorded, doubt)


def believed(doubts: Sequence[str], *, confirmed: bool) -> int:
    """How many of the last answers count: `doubts` of each since the last one that did.

    One without doubt counts alone, one of a wrong clock never. What is too much at once counts
    when three answers in a row say so; another hub does not become the right one by repetition.
    What an administrator confirmed counts with those before it that say the same.
    """
    last = doubts[-1]
    if not last or last == Doubt.CLOCK:
        return 0 if last else 1
    alike = {last} if last == Doubt.OTHER_HUB else {Doubt.EMPTY, Doubt.CROWD}
    row = sum(1 for _ in takewhile(lambda doubt: doubt in alike, reversed(doubts)))
    is_enough = confirmed or (last != Doubt.OTHER_HUB and row >= REPEATS)
    return row if is_enough else 0


def is_listed_in(server: Server, lists: Sequence[Sighting]) -> bool:
    """Whether all of these lists, and at least one, have the same server."""
    return bool(lists) and all(_is_same(server, each) for each in lists)


def begin(server: Server, before: Sequence[Sighting], *, seen_at: datetime) -> Begin:
    """From when the server surely ran; `before`: the lists before, the newest first.

    Its start by the hub counts, unless a list after it lacks the server or it is too long ago:
    then the first of the lists that have it in a row.
    """
    started = cast("datetime", server.started_at).replace(microsecond=0)
    row = list(takewhile(lambda each: _is_same(server, each), before))
    first = row[-1].time if row else seen_at
    lacking = before[len(row)].time if len(row) < len(before) else None
    is_denied = lacking is not None and lacking > started + ANOTHER
    if is_denied or first - started > LONGEST:
        return Begin(first, is_start=False)
    return Begin(started, is_start=True)


def _is_same(server: Server, listed: Sighting) -> bool:
    started = listed.places.get(seat(server.user, server.server))
    if started is None or server.started_at is None:
        return False
    return abs(started - server.started_at) < timedelta(seconds=1)


def confidence(end: datetime, seen_at: datetime) -> Repair.Confidence:
    """How near an end that was only found is to the true one: the server was last seen before."""
    if end - seen_at <= SEEN_LATELY:
        return Repair.Confidence.HIGH
    return Repair.Confidence.MEDIUM if end - seen_at <= SEEN_TODAY else Repair.Confidence.LOW


def _time_of(listing: Listing, asked_at: datetime) -> datetime:
    """When the list was asked for, by the hub's clock as all events are, in whole seconds."""
    if listing.hub_time is None:
        return asked_at.replace(microsecond=0)
    return listing.hub_time - timedelta(seconds=listing.took // timedelta(seconds=1))


def _clock_doubt(listing: Listing, asked_at: datetime, margins: Margins) -> str:
    if listing.hub_time is None:
        return ""
    margin = timedelta(seconds=margins.clock_seconds)
    is_right = asked_at - margin <= listing.hub_time <= asked_at + listing.took + margin
    return "" if is_right else Doubt.CLOCK


def _crowd_doubt(listed: int, running: int, missing: int, margins: Margins) -> str:
    if min(listed, running) >= KNOWN_BY_SIGHT and missing == running:
        return Doubt.OTHER_HUB
    if not is_crowd(missing, of=running, percent=margins.ends_percent):
        return ""
    return Doubt.CROWD if listed else Doubt.EMPTY


def _is_listed(session: Open, starts: dict[UUID, datetime | None]) -> bool:
    if session.seat not in starts:
        return False
    started = starts[session.seat]
    return started is None or session.ready_at is None or started <= session.ready_at + ANOTHER


def _unrecorded(
    listing: Listing, open_sessions: Sequence[Open], time: datetime
) -> tuple[Server, ...]:
    """Servers that have run for a while though no session of the records is theirs."""
    known = defaultdict(list)
    for session in open_sessions:
        known[session.seat].append(session)
    return tuple(
        server
        for server in listing.servers
        if server.ready
        and server.started_at is not None
        and server.started_at <= time - EVENTS_TAKE
        and not _has_session(server, known[seat(server.user, server.server)])
    )


def _has_session(server: Server, sessions: Sequence[Open]) -> bool:
    return any(_is_listed(session, {session.seat: server.started_at}) for session in sessions)
