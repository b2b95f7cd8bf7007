"""When growing files reach their quota, from what was measured on recent days.

The pace is the median of the slopes between all pairs of measurements (Theil 1950, Sen 1968): up to
29 of 100 days may be outliers, such as one with a large copy that was deleted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from statistics import median

DAYS = 30
"""So many days before the moment are looked at."""

FEWEST = 7
"""Fewer days with a measurement say nothing."""

FARTHEST = timedelta(days=5 * 365)
"""What lies beyond is said to be out of sight."""

DAY = timedelta(days=1)

Point = tuple[datetime, int]
"""The moment of a measurement, and bytes."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Bytes a day, counted on from the last measurement."""

    per_day: float
    last: Point

    @classmethod
    def of(cls, points: Sequence[Point]) -> Growth | None:
        """The pace of measurements at different moments, in order; None for fewer than seven."""
        if len(points) < FEWEST:
            return None
        slopes = [
            (b - a) / ((until - since) / DAY) for (since, a), (until, b) in combinations(points, 2)
        ]
        return cls(median(slopes), points[-1])

    def full_at(self, limit: int) -> datetime | None:
        """When the limit is reached: the last measurement's moment where it was already.

        None where the files do not grow, or not so much within five years.
        """
        taken_at, used = self.last
        if used >= limit:
            return taken_at
        if self.per_day * (FARTHEST / DAY) <= limit - used:
            return None
        return taken_at + (limit - used) / self.per_day * DAY
