"""When mails may go out: quiet hours and the hour of the daily mail, by the clock on the wall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of each day, [begins, ends) on the wall; over midnight when they end earlier."""

    begins: time
    ends: time

    def holds(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether it is quiet at that moment."""
        wall = at.astimezone(zone).time()
        if self.begins < self.ends:
            return self.begins <= wall < self.ends
        return wall >= self.begins or wall < self.ends


def after_quiet(at: datetime, quiet: Quiet | None, zone: ZoneInfo) -> datetime:
    """The moment itself, or when the quiet hours end that it falls into.

    An hour that the clock leaves out in spring moves such an end by what is left out.
    """
    if quiet is None or not quiet.holds(at, zone):
        return at
    ends = [end for fold in (0, 1) for end in _on_the_wall(at, quiet.ends, zone, fold)]
    return min(end for end in ends if end > at and not quiet.holds(end, zone))


def next_digest(at: datetime, hour: int, zone: ZoneInfo) -> datetime:
    """The next moment after `at` at which the clock on the wall strikes that hour; one a day."""
    return min(found for found in _on_the_wall(at, time(hour), zone) if found > at)


def _on_the_wall(at: datetime, wall: time, zone: ZoneInfo, fold: int = 0) -> Iterator[datetime]:
    """When the clock shows `wall` on that day and the two after; `fold` 1: for the second time."""
    today = at.astimezone(zone).date()
    for days in range(3):
        day = today + timedelta(days=days)
        local = datetime.combine(day, wall.replace(fold=fold), tzinfo=zone)
        yield local.astimezone(UTC)
