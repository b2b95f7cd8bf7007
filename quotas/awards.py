"""What groups are given in the current allocation period."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from django.db import transaction

from accounts.models import Group
from quotas.models import AllocationPeriod, ComputeQuota

MAX_CORE_HOURS = Decimal(10) ** 10
DIGITS = Decimal("0.000001")


class BadAmount(ValueError):  # noqa: N818 - what is wrong
    """Not an amount of core-hours that a quota can have."""


class NoCurrentPeriod(Exception):  # noqa: N818 - what is wrong
    """There are allocation periods, but none contains the moment."""


def read_core_hours(text: str) -> Decimal:
    """Core-hours from text. Raises BadAmount."""
    try:
        hours = Decimal(text)
    except InvalidOperation as error:
        raise BadAmount(f"“{text}” is not a number of core-hours.") from error
    if not hours.is_finite() or not 0 <= hours < MAX_CORE_HOURS:
        raise BadAmount(f"Core-hours must be from 0 to below {MAX_CORE_HOURS:,}, not {text}.")
    if hours != hours.quantize(DIGITS):
        raise BadAmount(f"Core-hours have at most 6 digits after the point, not {text}.")
    return hours


@transaction.atomic
def set_compute_quota(
    group: Group, core_hours: Decimal, *, mode: str | None, at: datetime
) -> tuple[ComputeQuota, bool]:
    """Give the group so much in the current period; the quota, and whether it is new.

    Without `mode` a quota keeps the one it has, and a new one is nominal. Where there is no
    allocation period at all, the calendar year becomes the first. Raises NoCurrentPeriod.
    """
    values: dict[str, object] = {"core_hours": core_hours}
    if mode is not None:
        values["mode"] = mode
    return ComputeQuota.objects.update_or_create(
        group=group, period=_current_period(at), defaults=values
    )


def _current_period(at: datetime) -> AllocationPeriod:
    current = AllocationPeriod.objects.current(at=at)
    if current is not None:
        return current
    if AllocationPeriod.objects.exists():
        raise NoCurrentPeriod(f"No allocation period contains {at:%Y-%m-%d}.")
    year = at.astimezone(UTC).year
    return AllocationPeriod.objects.create(
        title=str(year), starts_on=date(year, 1, 1), ends_on=date(year + 1, 1, 1)
    )
