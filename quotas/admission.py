"""Whether a compute quota admits one more session: arithmetic on frozen values.

All amounts are whole millicore-seconds; usage and holds are given, never fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class Limits:
    """What a group is given until `resets_at`; one that is not enforced is only counted against."""

    millicore_seconds: int
    enforced: bool
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """A group's use of the current period, and what its pending and running sessions hold."""

    used: int
    held: int
    limits: Limits | None = None

    @property
    def remaining(self) -> int | None:
        """What is neither used nor held, below zero where more is; None without a limit."""
        if self.limits is None:
            return None
        return self.limits.millicore_seconds - self.used - self.held

    def admits(self, hold: int) -> bool:
        """Whether used, held and this hold together stay within the limit."""
        if self.limits is None or not self.limits.enforced:
            return True
        return self.used + self.held + hold <= self.limits.millicore_seconds

    def fitting(self, holds: Mapping[str, int]) -> list[str]:
        """The names, in their order, of the holds that would be admitted."""
        return [name for name, hold in holds.items() if self.admits(hold)]


@dataclass(frozen=True, slots=True)
class Caps:
    """What a group or one member of it may take at most; None is no limit."""

    member_millicore_seconds: int | None = None
    member_sessions: int | None = None
    sessions: int | None = None
    gpus: int | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What a group's pending and running sessions take, and what a member used in the period.

    Sessions are counted by the servers they stand for, without the one that is asked for.
    """

    member_used: int = 0
    member_held: int = 0
    member_sessions: int = 0
    sessions: int = 0
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Reached:
    """The cap that keeps a session from starting: its limit, and what is taken of it."""

    cap: Cap
    limit: int
    taken: int


class Cap(Enum):
    """The caps, in the order in which they are looked at."""

    MEMBER_SESSIONS = auto()
    SESSIONS = auto()
    GPUS = auto()
    MEMBER_HOURS = auto()


def reached(caps: Caps, load: Load, *, gpus: int, hold: int) -> Reached | None:
    """The first cap that one more session with so many GPUs and such a hold would break."""
    counts = (
        (Cap.MEMBER_SESSIONS, caps.member_sessions, load.member_sessions, 1),
        (Cap.SESSIONS, caps.sessions, load.sessions, 1),
        (Cap.GPUS, caps.gpus, load.gpus, gpus),
        (
            Cap.MEMBER_HOURS,
            caps.member_millicore_seconds,
            load.member_used + load.member_held,
            hold,
        ),
    )
    for cap, limit, taken, more in counts:
        if limit is not None and more > 0 and taken + more > limit:
            return Reached(cap, limit, taken)
    return None


def hold(cpu_millicores: int, lease_seconds: int) -> int:
    """What a pending or running session reserves ahead: its rate times the lease."""
    return cpu_millicores * lease_seconds
