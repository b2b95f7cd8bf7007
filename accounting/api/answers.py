"""Usage and forecasts as JSON documents, from the same sums as the pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from accounting import usage
from accounting.pages.outlook import Outlook
from accounting.usage import Named, Window
from accounts.models import Group, User
from quotas.forecast import Band, Forecast
from quotas.vocabulary import Usage, core_hours, millicore_seconds

Row = dict[str, Any]


def amount(of: int) -> Row:
    """Millicore-seconds, and core-hours with six digits."""
    return {"core_hours": str(core_hours(of)), "millicore_seconds": of}


def sums(of: Usage) -> Row:
    return {
        **amount(of.millicore_seconds),
        "mib_seconds": of.mib_seconds,
        "gpu_seconds": of.gpu_seconds,
    }


def usage_rows(
    window: Window, *, by: str | None, group: Group | None, user: User | None
) -> tuple[Usage, list[Row]]:
    """The total and its rows, from one reading; without `by` only the total."""
    found = _parts(window, by=by, group=group, user=user)
    total = sum((part for _, part in found), Usage())
    return total, [{by: key, **sums(part)} for key, part in found] if by else []


def _parts(
    window: Window, *, by: str | None, group: Group | None, user: User | None
) -> list[tuple[Any, Usage]]:
    match by:
        case "day":
            return [(row.day, row.usage) for row in usage.by_day(window, group=group, user=user)]
        case "user":
            return [(_name(row.user), row.usage) for row in usage.by_user(window, group=group)]
        case "group":
            return [(_name(row.group), row.usage) for row in usage.by_group(window, user=user)]
        case _:
            return [(None, usage.total(window, group=group, user=user))]


def forecast(group: Group, outlook: Outlook | None, *, at: datetime) -> Row:
    """What becomes of the group's quota, as `accounting.pages.outlook` finds it."""
    found = outlook and outlook.forecast
    return {
        "group": group.name,
        "at": at,
        "period": outlook and outlook.quota.period_id,
        "limit": outlook and amount(millicore_seconds(outlook.quota.limit)),
        "remaining": outlook and amount(outlook.remaining),
        "forecast": found and _prediction(found),
    }


def _prediction(found: Forecast) -> Row:
    return {
        "per_day": amount(round(found.pace.mean)),
        "runs_out": found.runs_out,
        "earliest": found.earliest,
        "latest": found.latest,
        "expires": _band(found.expires),
    }


def _band(band: Band) -> Row:
    return {
        "low": amount(band.low),
        "expected": amount(band.expected),
        "high": amount(band.high),
    }


def _name(named: Named | None) -> str | None:
    return named.name if named else None
