"""When a quota runs out, or what of it will expire, from the use of recent days.

Daily use is taken as independent with mean m and standard deviation s, so that the use of t days
is about m t, give or take z s sqrt(t). What remains, R, is reached where m t + z s sqrt(t) = R: a
quadratic in sqrt(t), solved for z = 0 and for the two edges of a band that holds 80 of 100 cases as
far as the days to come are like those before. Amounts are millicore-seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf, sqrt
from statistics import fmean, stdev

DAYS = 28
"""How many full days before today a forecast looks at: four weeks, so that weekends balance."""

FEWEST_DAYS = 7
DEVIATIONS = 1.2816
"""Standard deviations from the mean to the edge of a band with 80 % of a normal distribution."""

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is used in a day, and how much that varies."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, days: Sequence[float]) -> Pace | None:
        """The pace of full days, one number for each; None for fewer than seven."""
        if len(days) < FEWEST_DAYS:
            return None
        return cls(fmean(days), stdev(days))

    def with_session(self, cpu_millicores: int) -> Pace:
        """The pace with one more session that runs without a pause."""
        return Pace(self.mean + cpu_millicores * DAY_SECONDS, self.deviation)

    def used_after(self, days: float, edge: float = 0.0) -> float:
        """What that many days use, at the edge so many band widths above the expectation."""
        spread = DEVIATIONS * self.deviation * sqrt(days)
        return max(0.0, self.mean * days + edge * spread)

    def days_until(self, amount: float, edge: float = 0.0) -> float:
        """After how many days the amount is used; infinite when it never is."""
        if amount <= 0:
            return 0.0
        spread = edge * DEVIATIONS * self.deviation
        if self.mean <= 0:
            return inf
        root = (sqrt(spread**2 + 4 * self.mean * amount) - spread) / (2 * self.mean)
        return root**2


@dataclass(frozen=True, slots=True)
class Band:
    """A value, and between which two it lies in 80 of 100 cases."""

    low: int
    expected: int
    high: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What becomes of a quota at a pace until the period ends.

    `runs_out` is None where the quota is expected to last; then `expires` is what is left at the
    end. `earliest` may come before the end all the same. `latest` is None beyond the end.
    """

    pace: Pace
    runs_out: datetime | None
    earliest: datetime | None
    latest: datetime | None
    expires: Band

    @property
    def lasts(self) -> bool:
        return self.runs_out is None


def forecast(pace: Pace, *, remaining: int, at: datetime, ends_at: datetime) -> Forecast:
    """What becomes of what remains, from `at` until the period ends at `ends_at`."""
    days = max(0.0, (ends_at - at).total_seconds() / DAY_SECONDS)

    def moment(edge: float) -> datetime | None:
        until = pace.days_until(remaining, edge)
        return at + timedelta(seconds=round(until * DAY_SECONDS)) if until < days else None

    def left(edge: float) -> int:
        return max(0, round(remaining - pace.used_after(days, edge)))

    return Forecast(
        pace=pace,
        runs_out=moment(0.0),
        earliest=moment(1.0),
        latest=moment(-1.0),
        expires=Band(left(1.0), left(0.0), left(-1.0)),
    )


@dataclass(frozen=True, slots=True)
class Workshop:
    """Some people with a size each, for some hours on each of some days."""

    people: int
    cpu_millicores: int
    hours: int
    days: int

    @property
    def millicore_seconds(self) -> int:
        return self.people * self.of_one

    @property
    def of_one(self) -> int:
        """What one of the people needs."""
        return self.cpu_millicores * self.hours * 3600 * self.days

    def people_within(self, remaining: int) -> int:
        """How many people fit into what remains."""
        return max(0, remaining // self.of_one)
