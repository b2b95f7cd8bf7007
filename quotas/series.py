"""Allocation periods in a row: planned, looked at, and made all or none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from django.db import transaction

from quotas.models import AllocationPeriod, ComputeQuota, StorageQuota

MOST = 100
TITLE_LENGTH = 60
LAST_YEAR = 9998
FIELDS = "{year}, {month} and {day} of the first day, and {n}, the number in the year"


class BadSeries(ValueError):  # noqa: N818 - what is wrong
    """A series of periods that cannot be."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A period that would be made, and the one that stands in its way."""

    title: str
    starts_on: date
    ends_on: date
    obstacle: AllocationPeriod | None = None


def plan(*, first: date, months: int, count: int, title: str) -> list[Planned]:
    """So many periods of so many months from the first day on; it reads, and writes nothing.

    `title` is a pattern with the fields of `FIELDS`. Raises BadSeries.
    """
    if not 1 <= count <= MOST or not 1 <= months <= 120:
        raise BadSeries(f"Make 1 to {MOST} periods of 1 to 120 months each.")
    starts = [_later(first, months * number) for number in range(count + 1)]
    numbers: dict[int, int] = {}
    found = []
    for start, end in pairwise(starts):
        numbers[start.year] = numbers.get(start.year, 0) + 1
        found.append(Planned(_title(title, start, numbers[start.year]), start, end))
    if len({planned.title for planned in found}) < count:
        raise BadSeries(f"Each period needs a title of its own. The pattern may have {FIELDS}.")
    return _with_obstacles(found)


@transaction.atomic
def make(series: list[Planned], *, quotas_of: AllocationPeriod | None = None) -> int:
    """Make all of them, each with the quotas of that period, if one is given; their number.

    Grants are not taken over: they belong to their period. Raises BadSeries where another period
    is in the way.
    """
    for planned in _with_obstacles(series):
        if planned.obstacle:
            raise BadSeries(f"“{planned.title}” cannot be: {planned.obstacle} is in the way.")
    periods = AllocationPeriod.objects.bulk_create(
        AllocationPeriod(title=p.title, starts_on=p.starts_on, ends_on=p.ends_on) for p in series
    )
    if quotas_of is not None:
        for period in periods:
            _take_over(quotas_of, period)
    return len(periods)


def _take_over(before: AllocationPeriod, period: AllocationPeriod) -> None:
    ComputeQuota.objects.bulk_create(
        ComputeQuota(
            group_id=quota.group_id, period=period, core_hours=quota.core_hours, mode=quota.mode
        )
        for quota in ComputeQuota.objects.filter(period=before, group__closed_at=None)
    )
    StorageQuota.objects.bulk_create(
        StorageQuota(group_id=quota.group_id, period=period, limit_bytes=quota.limit_bytes)
        for quota in StorageQuota.objects.filter(period=before, group__closed_at=None)
    )


def _with_obstacles(series: list[Planned]) -> list[Planned]:
    """The same, each with the stored period of that title or on its days."""
    first, last = series[0].starts_on, series[-1].ends_on
    on_its_days = AllocationPeriod.objects.filter(starts_on__lt=last, ends_on__gt=first)
    of_its_title = AllocationPeriod.objects.filter(title__in=[p.title for p in series])
    stored = list(on_its_days | of_its_title)
    return [Planned(p.title, p.starts_on, p.ends_on, _obstacle(p, stored)) for p in series]


def _obstacle(planned: Planned, stored: list[AllocationPeriod]) -> AllocationPeriod | None:
    for period in stored:
        overlaps = period.starts_on < planned.ends_on and planned.starts_on < period.ends_on
        if overlaps or period.title == planned.title:
            return period
    return None


def _title(pattern: str, start: date, number: int) -> str:
    fields = {"year": start.year, "month": f"{start:%m}", "day": f"{start:%d}", "n": number}
    title = pattern.strip()
    for name, value in fields.items():
        title = title.replace(f"{{{name}}}", str(value))
    if "{" in title or "}" in title:
        raise BadSeries(f"“{pattern}” is no pattern: it may have {FIELDS}.")
    if not 1 <= len(title) <= TITLE_LENGTH:
        raise BadSeries(f"A title has 1 to {TITLE_LENGTH} characters.")
    return title


def _later(day: date, months: int) -> date:
    """So many months later; a day that the month has not is refused."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > LAST_YEAR:
        raise BadSeries(f"Periods end before the year {LAST_YEAR + 1}.")
    try:
        return day.replace(year=year, month=month + 1)
    except ValueError as error:
        raise BadSeries(f"Begin on a day that every month has, not on the {day.day}.") from error
