"""What a policy would have done to a history: a replay of charges in order of their start.

Pure, in whole seconds and millicore-seconds. A group's quota counts over the whole history as if
that were one period. A launch is refused once the quota is used up, and in the hard mode the
sessions that run at that second stop; holds are left out. Hence everything that happens before the
quota is used up happened, whatever the quota: a lower one never lets more be used. What was refused
is not asked for again, and later launches come as they came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heapify, heappop, heappush

from quotas.ladder import PERCENTAGES

NEVER = 10**18  # seconds


class Mode(StrEnum):
    """What happens once a quota is used up, as `ComputeQuota.Mode` has it."""

    NOMINAL = "nominal"
    SOFT = "soft"
    HARD = "hard"


class Reason(StrEnum):
    """Why a launch would have been refused."""

    QUOTA = "the quota is used up"
    MEMBER_HOURS = "the member has used up the core-hours of one member"
    MEMBER_SESSIONS = "the member runs as many sessions as one may"
    GROUP_SESSIONS = "the group runs as many sessions as it may"


@dataclass(frozen=True, slots=True)
class Policy:
    """The quota and the caps of a group; None is no limit. Amounts are millicore-seconds."""

    quota: int | None = None
    mode: Mode = Mode.SOFT
    member_hours: int | None = None
    member_sessions: int | None = None
    group_sessions: int | None = None

    @property
    def enforced(self) -> int | None:
        """The amount from which on launches are refused."""
        return None if self.mode == Mode.NOMINAL else self.quota


@dataclass(frozen=True, slots=True)
class Piece:
    """One charge, in seconds since 1970: `rate` is millicores, below zero in a correction."""

    session: int
    group: int
    person: int | None
    start: int
    end: int
    rate: int


@dataclass(frozen=True, slots=True)
class Warned:
    """When a group's use reached so many percent of its quota."""

    group: int
    percent: int
    at: int


@dataclass(slots=True)
class Lost:
    """A session that was refused (with a reason), or stopped, and the use that it did not make."""

    session: int
    group: int
    person: int | None
    at: int
    reason: Reason | None
    pieces: list[Piece] = field(default_factory=list)

    @property
    def amount(self) -> int:
        return sum(piece.rate * (piece.end - piece.start) for piece in self.pieces)


@dataclass(slots=True)
class Replay:
    """What would have happened; `used` is what was used by group, `lost` what would not have."""

    warned: list[Warned] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    used: Counter[int] = field(default_factory=Counter)

    @property
    def refused(self) -> list[Lost]:
        return [one for one in self.lost if one.reason is not None]

    @property
    def stopped(self) -> list[Lost]:
        return [one for one in self.lost if one.reason is None]

    def not_used(self) -> Counter[int]:
        """By group, how much less would have been used."""
        sums: Counter[int] = Counter()
        for one in self.lost:
            sums[one.group] += one.amount
        return sums


def replay(history: Iterable[Piece], policy: Policy, *, start: int, end: int) -> Replay:
    """The policy on each group's history within [start, end), in order of `Piece.start`.

    Sessions that began before `start` are not launches: they count, and may be stopped.
    """
    found = Replay()
    groups: dict[int, _Group] = {}
    for piece in history:
        group = groups.get(piece.group)
        if group is None:
            group = groups[piece.group] = _Group(piece.group, policy, start, found)
        group.take(piece, is_launch=piece.start >= start, until=end)
    for group in groups.values():
        group.advance(end)
    found.warned.sort(key=lambda one: (one.at, one.group))
    found.lost.sort(key=lambda one: (one.at, one.session))
    return found


class _Group:
    """A group while its history passes: what it has used, and what runs."""

    def __init__(self, number: int, policy: Policy, now: int, found: Replay) -> None:
        self.number, self.policy, self.now, self.found = number, policy, now, found
        self.used = self.rate = 0
        self.running: list[tuple[int, int, Piece]] = []  # a heap: end, order, piece
        self.order = 0
        self.pieces: Counter[int] = Counter()  # those that run, by session
        self.sessions: Counter[int | None] = Counter()  # those that run, by person
        self.member_used: Counter[int | None] = Counter()
        self.seen: set[int] = set()
        self.lost: dict[int, Lost] = {}
        self.steps = [] if policy.quota is None else list(PERCENTAGES)

    def take(self, piece: Piece, *, is_launch: bool, until: int) -> None:
        """The next charge: it runs, or is lost with its session."""
        piece = _within(piece, max(piece.start, self.now), min(piece.end, until))
        self.advance(piece.start)
        self.found.used[self.number] += piece.rate * (piece.end - piece.start)
        if piece.session not in self.seen:
            self.seen.add(piece.session)
            reason = self._refusal(piece.person) if is_launch else None
            if reason is not None:
                self._lose(piece, piece.start, reason)
        if piece.session in self.lost:
            self.lost[piece.session].pieces.append(piece)
        elif piece.end > piece.start:
            self._run(piece)

    def advance(self, until: int) -> None:
        """Let what runs run until then, past ends and steps of the quota."""
        while self.running and self.running[0][0] <= until:
            self._pass(self.running[0][0])
            if self.running and self.running[0][0] <= self.now:
                self._end(heappop(self.running)[2])
        self._pass(until)

    def _pass(self, until: int) -> None:
        """Run at the present rate; a step within is told, and the last may stop everything."""
        while self.steps and (moment := self._reaches(self.steps[0])) <= until:
            self._to(moment)
            percent = self.steps.pop(0)
            self.found.warned.append(Warned(self.number, percent, moment))
            if percent == PERCENTAGES[-1] and self.policy.mode == Mode.HARD:
                self._stop_all()
        self._to(until)

    def _reaches(self, percent: int) -> int:
        """The first whole second at which so much of the quota is used at the present rate.

        Nothing used reaches no step, even of nothing, as on the ladder.
        """
        missing = max(1, -(-percent * (self.policy.quota or 0) // 100)) - self.used
        if missing <= 0:
            return self.now
        return self.now - (-missing // self.rate) if self.rate > 0 else NEVER

    def _to(self, moment: int) -> None:
        self.used += self.rate * (moment - self.now)
        self.now = moment

    def _refusal(self, person: int | None) -> Reason | None:
        policy = self.policy
        limits = (
            (policy.enforced, self.used, Reason.QUOTA),
            (policy.member_hours, self._used_by(person), Reason.MEMBER_HOURS),
            (policy.member_sessions, self.sessions[person], Reason.MEMBER_SESSIONS),
            (policy.group_sessions, len(self.pieces), Reason.GROUP_SESSIONS),
        )
        return next((why for limit, has, why in limits if limit is not None and has >= limit), None)

    def _used_by(self, person: int | None) -> int:
        if self.policy.member_hours is None:
            return 0
        parts = (p for _, _, p in self.running if p.person == person)
        return self.member_used[person] + sum(p.rate * (self.now - p.start) for p in parts)

    def _run(self, piece: Piece) -> None:
        self.order += 1
        heappush(self.running, (piece.end, self.order, piece))
        self.rate += piece.rate
        self.pieces[piece.session] += 1
        if self.pieces[piece.session] == 1:
            self.sessions[piece.person] += 1

    def _end(self, piece: Piece) -> None:
        self.rate -= piece.rate
        self.member_used[piece.person] += piece.rate * (self.now - piece.start)
        self.pieces[piece.session] -= 1
        if self.pieces[piece.session] == 0:
            del self.pieces[piece.session]
            self.sessions[piece.person] -= 1

    def _stop_all(self) -> None:
        """Stop what runs beyond this second."""
        stopped = [piece for end, _, piece in self.running if end > self.now]
        self.running = [entry for entry in self.running if entry[0] <= self.now]
        heapify(self.running)
        for piece in sorted(stopped, key=lambda one: one.start):
            self._end(piece)
            if piece.session not in self.lost:
                self._lose(piece, self.now, None)
            self.lost[piece.session].pieces.append(_within(piece, self.now, piece.end))

    def _lose(self, piece: Piece, at: int, reason: Reason | None) -> None:
        lost = Lost(piece.session, self.number, piece.person, at, reason)
        self.lost[piece.session] = lost
        self.found.lost.append(lost)


def _within(piece: Piece, start: int, end: int) -> Piece:
    """The part of a piece in [start, end), empty where there is none."""
    if (start, end) == (piece.start, piece.end):
        return piece
    return Piece(piece.session, piece.group, piece.person, start, max(start, end), piece.rate)
