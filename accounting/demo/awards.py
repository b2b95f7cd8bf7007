"""Periods, quotas and measured storage of the demo."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from accounting.demo.people import HISTORY
from accounts.models import Group, User
from quotas.models import AllocationPeriod, ComputeQuota, StorageQuota
from sessions.models import StorageSample

GIB = 2**30
HOME_LIMIT = 10 * GIB

# Core-hours a half-year; what is enforced is far more than the demo's history uses.
COMPUTE = {
    "transients": (12_000, ComputeQuota.Mode.HARD),
    "galaxies": (15_000, ComputeQuota.Mode.SOFT),
    "solar-system": (3_000, ComputeQuota.Mode.NOMINAL),
    "commissioning": (2_000, ComputeQuota.Mode.NOMINAL),
}
STORAGE = {
    "transients": 2_000 * GIB,
    "galaxies": 3_000 * GIB,
    "solar-system": 1_000 * GIB,
    "commissioning": 500 * GIB,
}


def add_periods(*, at: datetime) -> list[AllocationPeriod]:
    """The half-years from the one in which the history begins to the next one."""
    first, last = _half_year(at - HISTORY - timedelta(days=1)), _half_year(at)
    halves = [*range(first, last + 2)]
    return [
        AllocationPeriod.objects.create(
            title=f"{half // 2}{'AB'[half % 2]}",
            starts_on=_first_day(half),
            ends_on=_first_day(half + 1),
        )
        for half in halves
    ]


def add_quotas(groups: dict[str, Group], periods: list[AllocationPeriod]) -> None:
    """The same quotas in every period."""
    for period in periods:
        for name, (hours, mode) in COMPUTE.items():
            ComputeQuota.objects.create(
                group=groups[name], period=period, core_hours=hours, mode=mode
            )
            StorageQuota.objects.create(
                group=groups[name], period=period, limit_bytes=STORAGE[name]
            )


def add_storage(groups: dict[str, Group], *, at: datetime, dice: random.Random) -> None:
    """A sample a day, growing, of each home and each group's area; nothing is full."""
    nights = list(_nights(at))
    for user in User.objects.order_by("username"):
        _grow(nights, dice, "/home", HOME_LIMIT, user=user)
    for name, group in groups.items():
        _grow(nights, dice, "/groups", STORAGE[name], group=group)


def _grow(
    nights: list[datetime],
    dice: random.Random,
    mount: str,
    limit: int,
    *,
    user: User | None = None,
    group: Group | None = None,
) -> None:
    used = int(limit * dice.uniform(0.05, 0.3))
    step = limit * dice.uniform(0.05, 0.55) / len(nights)
    samples = []
    for taken_at in nights:
        used += int(step * dice.uniform(0.0, 1.8))
        samples.append(
            StorageSample(
                user=user,
                group=group,
                mount=mount,
                taken_at=taken_at,
                used_bytes=min(used, int(limit * 0.93)),
                limit_bytes=limit,
                files=used // 250_000,
            )
        )
    StorageSample.objects.bulk_create(samples)


def _nights(at: datetime) -> Iterator[datetime]:
    day = datetime.combine((at - HISTORY).astimezone(UTC).date(), time(2), UTC)
    while day <= at:
        yield day
        day += timedelta(days=1)


def _half_year(at: datetime) -> int:
    day = at.astimezone(UTC)
    return 2 * day.year + (day.month > 6)


def _first_day(half: int) -> date:
    return date(half // 2, 7 if half % 2 else 1, 1)
