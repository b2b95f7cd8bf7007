"""Which step of its quota an area of storage rose to last, from the days before; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date

from quotas.growth import Point

STEPS = (80, 90, 100)
"""Percent of the quota."""

BELOW = 5
"""By so many points it has to fall below a step before the step counts anew."""


@dataclass(frozen=True, slots=True)
class Rise:
    """A step that was reached; `day` (UTC) is None where it was at the first measurement."""

    step: int
    day: date | None


def last_rise(points: Sequence[Point], limit: int) -> Rise | None:
    """The step at which the area is since it rose; None below all steps, or after a fall."""
    level, rise = 0, None
    for number, (taken_at, used) in enumerate(points):
        step = _step(used, limit)
        if step > level:
            day = taken_at.astimezone(UTC).date() if number else None
            level, rise = step, Rise(step, day)
        elif level and 100 * used < (level - BELOW) * limit:
            level, rise = _after_fall(used, limit), None
    return rise


def last_fall(points: Sequence[Point], limit: int) -> date | None:
    """The last day (UTC) on which it was five points of the quota below what it was at most."""
    peak, day = 0, None
    for taken_at, used in points:
        if 100 * (peak - used) >= BELOW * limit:
            peak, day = used, taken_at.astimezone(UTC).date()
        peak = max(peak, used)
    return day


def _step(used: int, limit: int) -> int:
    return max((step for step in STEPS if 100 * used >= step * limit), default=0)


def _after_fall(used: int, limit: int) -> int:
    """The highest step that the fall did not undo."""
    return max((step for step in STEPS if 100 * used >= (step - BELOW) * limit), default=0)
