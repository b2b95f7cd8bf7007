"""Which step of enforcement a quota has reached: a decision on frozen values.

A quota climbs 80 %, 95 % and exhausted in every mode. A hard one goes on: its running sessions are
given a wrap-up, perhaps grace, and are then stopped. Amounts are whole millicore-seconds, rates are
millicores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum


class Step(IntEnum):
    """The steps, lowest first; the first ones are the percentages at which they begin."""

    NONE = 0
    EIGHTY = 80
    NINETY_FIVE = 95
    EXHAUSTED = 100
    WRAP_UP = 101
    GRACE = 102
    STOP = 103

    @property
    def words(self) -> str:
        return WORDS[self]


WORDS = {
    Step.NONE: "less than 80 % used",
    Step.EIGHTY: "80 % used",
    Step.NINETY_FIVE: "95 % used",
    Step.EXHAUSTED: "used up",
    Step.WRAP_UP: "used up: running sessions are given time to wrap up",
    Step.GRACE: "used up: running sessions go on for a grace",
    Step.STOP: "used up: running sessions are stopped",
}
PERCENTAGES = (Step.EIGHTY, Step.NINETY_FIVE, Step.EXHAUSTED)


@dataclass(frozen=True, slots=True)
class Level:
    """How far a quota is used at a moment, and how fast: `stops` is the mode hard."""

    limit: int
    used: int
    rate: int
    stops: bool

    @property
    def reached(self) -> Step:
        """The highest percentage that is used; nothing used reaches none, even of nothing."""
        if self.used <= 0:
            return Step.NONE
        reached = [step for step in PERCENTAGES if self.used * 100 >= step * self.limit]
        return max(reached, default=Step.NONE)

    @property
    def must_stop(self) -> bool:
        """Whether running sessions may not go on for ever."""
        return self.stops and self.reached is Step.EXHAUSTED

    def due(self, step: Step, *, at: datetime) -> datetime | None:
        """When the percentage is reached at the present rate; None where it never is."""
        missing = -(-self.limit * step // 100) - self.used
        if missing <= 0:
            return at
        if self.rate <= 0:
            return None
        seconds = -(-missing // self.rate)
        return _later(at, seconds)


@dataclass(frozen=True, slots=True)
class Ladder:
    """What is known of a quota's climb: the highest step taken, of a limit's generation.

    `exhausted_at` is when the wrap-up of a hard quota began.
    """

    limit: int
    generation: int = 1
    taken: Step = Step.NONE
    exhausted_at: datetime | None = None
    grace_until: datetime | None = None

    def stops_at(self, wrap_up: timedelta) -> datetime | None:
        """When sessions that run are stopped; None while they are not to be."""
        if self.exhausted_at is None:
            return None
        return max(self.exhausted_at + wrap_up, self.grace_until or self.exhausted_at)

    def grace_end(self, longest: timedelta) -> datetime | None:
        """Until when grace can let them go on; None while there is nothing to put off."""
        return self.exhausted_at and self.exhausted_at + longest

    def met_by(self, level: Level) -> Ladder:
        """The ladder as it goes on from here: re-armed where steps no longer hold.

        A raised limit re-arms every step that is no longer reached. Without a raise (a correction
        took usage back, or the mode changed) only the end of sessions is called off: what was said
        at 80 and 95 % is not said again. Either begins a generation of its own.
        """
        keeps = self._keeps(level)
        is_off = self.exhausted_at is not None and not level.must_stop
        kept = replace(self, limit=level.limit, taken=keeps)
        if is_off:
            kept = replace(kept, exhausted_at=None, grace_until=None)
        if is_off or keeps < self.taken:
            kept = replace(kept, generation=self.generation + 1)
        return kept

    def _keeps(self, level: Level) -> Step:
        if level.must_stop:
            return self.taken
        raised = level.limit > self.limit
        return min(self.taken, level.reached if raised else max(level.reached, Step.NINETY_FIVE))


@dataclass(frozen=True, slots=True)
class Climb:
    """What a tick finds: the ladder from now on, and the steps that are new, lowest first.

    The last of the new steps is told; the others were passed since the tick before.
    """

    ladder: Ladder
    new: tuple[Step, ...]

    @property
    def told(self) -> Step | None:
        return self.new[-1] if self.new else None


def climb(known: Ladder, level: Level, *, wrap_up: timedelta, at: datetime) -> Climb:
    """Take all steps that are due at that moment."""
    ladder = known.met_by(level)
    if level.must_stop and ladder.exhausted_at is None:
        ladder = replace(ladder, exhausted_at=at)
    step = standing(ladder, level, wrap_up=wrap_up, at=at)
    new = tuple(one for one in _way(ladder) if ladder.taken < one <= step)
    return Climb(replace(ladder, taken=max(ladder.taken, step)), new)


def standing(ladder: Ladder, level: Level, *, wrap_up: timedelta, at: datetime) -> Step:
    """The step that holds at that moment."""
    stops_at = ladder.stops_at(wrap_up)
    if not level.must_stop or stops_at is None:
        return level.reached
    if at >= stops_at:
        return Step.STOP
    return Step.WRAP_UP if ladder.grace_until is None else Step.GRACE


def _way(ladder: Ladder) -> list[Step]:
    """The steps on this ladder: grace is one only where it was granted."""
    return [step for step in Step if step is not Step.GRACE or ladder.grace_until]


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where a quota stands: when it runs out at the present rate, and when the next step is due.

    None is never, as far as can be seen.
    """

    step: Step
    runs_out_at: datetime | None
    next_at: datetime | None


def outlook(ladder: Ladder, level: Level, *, wrap_up: timedelta, at: datetime) -> Outlook:
    """Where the quota stands, and what comes next if everything that runs goes on."""
    step = standing(ladder, level, wrap_up=wrap_up, at=at)
    runs_out_at = level.due(Step.EXHAUSTED, at=at) if step < Step.EXHAUSTED else None
    if step in (Step.WRAP_UP, Step.GRACE):
        return Outlook(step, None, ladder.stops_at(wrap_up))
    above = [one for one in PERCENTAGES if one > step]
    return Outlook(step, runs_out_at, level.due(above[0], at=at) if above else None)


@dataclass(frozen=True, slots=True)
class Delays:
    """What passes between a quota's last second and the last second of its sessions."""

    tick: timedelta
    wrap_up: timedelta
    grace: timedelta
    stop: timedelta
    most_stops: int

    def overshoot(self, rate: int, *, sessions: int, retroactive: int = 0) -> int:
        """The most that can be used beyond a hard quota by sessions of that rate together.

        rate x (ticks + the longer of wrap-up and grace + stop) + what late events add. One tick
        passes until the exhaustion is seen, one for each `most_stops` sessions that wait to be
        stopped at a hub.
        """
        ticks = 1 + max(1, -(-sessions // self.most_stops))
        waits = ticks * self.tick + max(self.wrap_up, self.grace) + self.stop
        return rate * int(waits.total_seconds()) + retroactive


def _later(at: datetime, seconds: int) -> datetime | None:
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:
        return None
