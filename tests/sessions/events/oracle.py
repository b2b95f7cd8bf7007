"""What records should be, worked out naively in Python straight from the words of the contract.

Slow and simple on purpose: everything is computed for all sessions from the set of all events.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from tests.sessions.events.sender import Event

FAR = datetime(9999, 12, 31)  # noqa: DTZ001  # all times of the oracle are UTC
Attribution = Callable[[UUID, str, Event | None], tuple[str | None, str | None]]


@dataclass(frozen=True)
class Record:
    """The part of a session record that evidence decides."""

    user_name: str
    server: str
    user: str | None
    group: str | None
    requested: datetime | None
    ready: datetime | None
    stopped: datetime | None
    superseded: datetime | None
    absent: datetime | None
    ended: datetime | None
    source: str
    flagged: bool
    cpu_millicores: int | None


@dataclass
class Life:
    """What the events of one session say, before other sessions and snapshots are heard."""

    key: UUID
    user_name: str
    server: str
    request: Event | None
    resources: dict[str, int] | None
    requested: datetime | None
    ready: datetime | None
    stopped: datetime | None
    flagged: bool
    superseded: datetime | None = None
    absent: datetime | None = None

    @property
    def begins(self) -> datetime | None:
        return min((t for t in (self.requested, self.ready) if t), default=None)

    @property
    def hub_says_end(self) -> datetime:
        return min((t for t in (self.stopped, self.superseded) if t), default=FAR)

    def runs_at(self, at: datetime) -> bool:
        return self.ready is not None and self.ready < at < self.hub_says_end


@dataclass
class Snapshot:
    time: datetime
    order: UUID
    listed: set[object]

    def lists(self, life: Life) -> bool:
        return life.key in self.listed or (life.user_name, life.server) in self.listed


def records(events: Iterable[Event], attribution: Attribution) -> dict[UUID, Record]:
    """The records of a hub that follow from this set of events."""
    unique = {event["id"]: event for event in events}.values()
    by_session: dict[UUID, list[Event]] = defaultdict(list)
    for event in unique:
        if event["type"].startswith("session."):
            by_session[UUID(event["session"])].append(event)
    lives = [life_of(key, own) for key, own in by_session.items()]
    for life in lives:
        life.superseded = superseded(life, lives)
    snapshots = believed([e for e in unique if e["type"] == "hub.snapshot"], lives)
    for life in lives:
        life.absent = absent(life, snapshots)
    return {life.key: record(life, attribution) for life in lives}


def life_of(key: UUID, events: list[Event]) -> Life:
    requests = in_order(events, "session.requested")
    readies = in_order(events, "session.ready")
    stops = in_order(events, "session.stopped", "session.failed")
    ready = time(readies[0]) if readies else None
    early = [stop for stop in stops if ready and time(stop) < ready]
    later = [stop for stop in stops if stop not in early]
    teller = (requests or readies or in_order(events, "session.stopped", "session.failed"))[0]
    stated = [r["data"]["resources"] for r in requests if r["data"].get("resources")]
    return Life(
        key=key,
        user_name=teller["user"],
        server=teller["server"],
        request=requests[0] if requests else None,
        resources=stated[0] if stated else None,
        requested=time(requests[0]) if requests else None,
        ready=ready,
        stopped=time((later or early)[0]) if stops else None,
        flagged=bool(early) or (not ready and bool(in_order(events, "session.stopped"))),
    )


def superseded(life: Life, lives: list[Life]) -> datetime | None:
    """The start of the next session of the seat, where no stop came before."""
    if life.begins is None:
        return None
    seat = (life.user_name, life.server)
    starts = [o.begins for o in lives if (o.user_name, o.server) == seat and o.begins]
    following = min((start for start in starts if start > life.begins), default=None)
    return following if following and following < (life.stopped or FAR) else None


def believed(events: list[Event], lives: list[Life]) -> list[Snapshot]:
    """The complete snapshots in order, without empty ones that nobody believes."""
    complete = complete_snapshots(events)
    kept = []
    for place, snapshot in enumerate(complete):
        if snapshot.listed or stretch(complete, place) >= 3:
            kept.append(snapshot)
            continue
        last = next((s for s in reversed(complete[:place]) if s.listed), None)
        running = [
            life
            for life in lives
            if life.runs_at(snapshot.time)
            and life.ready
            and (last is None or last.time <= life.ready or last.lists(life))
        ]
        if len(running) <= 10:
            kept.append(snapshot)
    return kept


def complete_snapshots(events: list[Event]) -> list[Snapshot]:
    parts: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        parts[event["data"]["snapshot"]].append(event)
    complete = []
    for name, own in parts.items():
        if len({e["data"]["part"] for e in own}) >= max(e["data"]["parts"] for e in own):
            listed = {entry_of(entry) for e in own for entry in e["data"]["sessions"]}
            order = UUID(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest())
            complete.append(Snapshot(min(map(time, own)), order, listed))
    return sorted(complete, key=lambda s: (s.time, s.order))


def entry_of(entry: Event) -> object:
    return UUID(entry["session"]) if entry["session"] else (entry["user"], entry["server"])


def stretch(snapshots: list[Snapshot], place: int) -> int:
    """How many empty snapshots stand in a row around this one."""
    before = next((n for n, s in enumerate(snapshots[place::-1]) if s.listed), place + 1)
    after = next((n for n, s in enumerate(snapshots[place:]) if s.listed), len(snapshots) - place)
    return before + after - 1


def absent(life: Life, snapshots: list[Snapshot]) -> datetime | None:
    for first, second in pairwise(snapshots):
        if life.runs_at(first.time) and not first.lists(life) and not second.lists(life):
            return first.time
    return None


def record(life: Life, attribution: Attribution) -> Record:
    sources = {"stop": life.stopped, "superseded": life.superseded, "snapshot": life.absent}
    known = {source: at for source, at in sources.items() if at}
    source = min(known, key=lambda name: known[name]) if known else ""
    end = known.get(source)
    user, group = attribution(life.key, life.user_name, life.request)
    return Record(
        user_name=life.user_name,
        server=life.server,
        user=user,
        group=group,
        requested=life.requested,
        ready=life.ready,
        stopped=life.stopped,
        superseded=life.superseded,
        absent=life.absent,
        ended=max(end, life.ready) if end and life.ready else end,
        source=source,
        flagged=life.flagged
        or bool(life.ready and life.superseded and life.superseded < life.ready),
        cpu_millicores=life.resources["cpu_millicores"] if life.resources else None,
    )


def in_order(events: list[Event], *kinds: str) -> list[Event]:
    return sorted((e for e in events if e["type"] in kinds), key=lambda e: (time(e), e["id"]))


def time(event: Event) -> datetime:
    return datetime.fromisoformat(event["time"].replace("Z", "")).replace(microsecond=0)
