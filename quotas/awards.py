"""What groups are given: their quotas, and moves between them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from django.db import transaction

from accounts.models import Group, User
from quotas.models import AllocationPeriod, ComputeQuota, Grant

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


class BadMove(ValueError):  # noqa: N818 - what is wrong
    """A move that the quotas do not allow."""


@transaction.atomic
def move(
    quota: ComputeQuota, *, to: ComputeQuota, core_hours: Decimal, reason: str, author: User,
    at: datetime,
) -> tuple[Grant, Grant]:  # fmt: skip
    """Move core-hours from one quota to another of the same period, as a pair of grants.

    Raises BadMove for nothing, for more than the quota has, and between periods.
    """
    locked = ComputeQuota.objects.filter(pk__in=[quota.pk, to.pk]).order_by("pk")
    list(locked.select_for_update(of=("self",)))
    limit = ComputeQuota.objects.with_limit(at=at).get(pk=quota.pk).limit
    if quota.period_id != to.period_id or quota.pk == to.pk:
        raise BadMove("Move between two groups, within one period.")
    if not 0 < core_hours <= limit:
        raise BadMove(f"Move more than 0 and at most the {limit.normalize():f} that there are.")
    common = {"reason": reason, "author": author, "valid_from": at}
    taken = Grant.objects.create(quota=quota, core_hours=-core_hours, **common)
    given = Grant.objects.create(quota=to, core_hours=core_hours, counterpart=taken, **common)
    taken.counterpart = given
    taken.save(update_fields=["counterpart"])
    return taken, given


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
