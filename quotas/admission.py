"""Whether a compute quota admits one more session: arithmetic on frozen values.

All amounts are whole millicore-seconds; usage and holds are given, never fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


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


def hold(cpu_millicores: int, lease_seconds: int) -> int:
    """What a pending or running session reserves ahead: its rate times the lease."""
    return cpu_millicores * lease_seconds
