"""What a start would cost the group that pays, and how long what the group has left lasts.

Pure: balances and paces are given. The sentences are for the person who is about to choose.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lsp_portal.lib import display
from quotas import forecast
from quotas.admission import Balance, Limits
from quotas.forecast import Forecast, Pace
from quotas.vocabulary import core_hours

HOUR_SECONDS = 3600
TWO_DAYS = 48  # hours; longer times are told in days


@dataclass(frozen=True, slots=True)
class Prospect:
    """A group's balance and pace at a moment; without a pace there is no forecast.

    Holds are not taken off in a forecast: they come back.
    """

    balance: Balance
    pace: Pace | None
    at: datetime

    def left(self, limits: Limits) -> int:
        """What is not used, with what is held of it."""
        return limits.millicore_seconds - self.balance.used

    def forecast(self, limits: Limits, *, cpu_millicores: int = 0) -> Forecast | None:
        """At the group's pace, with one more session of so much CPU that never pauses."""
        if self.pace is None:
            return None
        return forecast.forecast(
            self.pace.with_session(cpu_millicores),
            remaining=self.left(limits),
            at=self.at,
            ends_at=limits.resets_at,
        )


def group_outlook(prospect: Prospect) -> dict[str, Any]:
    """The fields of a group in the launch options that look ahead."""
    limits, pace = prospect.balance.limits, prospect.pace
    found = prospect.forecast(limits) if limits else None
    return {
        "pace_core_hours_per_day": str(core_hours(round(pace.mean))) if pace else None,
        "forecast": _forecast(found, limits) if found and limits else None,
        "outlook": _group_words(prospect),
    }


def size_outlook(prospect: Prospect, cpu_millicores: int) -> dict[str, Any]:
    """What one session of so much CPU does to the group's outlook."""
    limits = prospect.balance.limits
    found = prospect.forecast(limits, cpu_millicores=cpu_millicores) if limits else None
    return {
        "runs_for_hours": str(_hours_alone(prospect, limits, cpu_millicores)) if limits else None,
        "runs_out_on": _date(found.runs_out) if found else None,
        "outlook": _size_words(prospect, cpu_millicores),
    }


def core_hours_per_hour(cpu_millicores: int) -> str:
    """What a session takes in an hour, as JSON has it."""
    return str(core_hours(cpu_millicores * HOUR_SECONDS))


def _forecast(found: Forecast, limits: Limits) -> dict[str, Any]:
    return {
        "runs_out_on": _date(found.runs_out),
        "earliest_on": _date(found.earliest),
        "latest_on": _date(found.latest),
        "period_ends_on": _date(limits.resets_at),
        "expires_core_hours": str(core_hours(found.expires.expected)),
    }


def _group_words(prospect: Prospect) -> str:
    limits = prospect.balance.limits
    if limits is None:
        return f"The group has no limit.{_pace_words(prospect.pace)}"
    if prospect.left(limits) <= 0:
        end = display.long_day(limits.resets_at)
        after = "" if limits.enforced else " It may be used on: use is counted, nothing is refused."
        return f"The group's quota is used up until {end}.{after}"
    return f"{_left_words(prospect, limits)} {_future_words(prospect, limits)}"


def _pace_words(pace: Pace | None) -> str:
    if pace is None:
        return ""
    return f" It uses about {display.about_core_hours(pace.mean)} core-hours a day."


def _left_words(prospect: Prospect, limits: Limits) -> str:
    left, held = prospect.left(limits), prospect.balance.held
    holds = (
        f", {display.core_hours(held)} of them held by pending and running sessions" if held else ""
    )
    return f"The group has {display.core_hours(left)} core-hours left{holds}."


def _future_words(prospect: Prospect, limits: Limits) -> str:
    found = prospect.forecast(limits)
    if found is None:
        return "A forecast needs seven full days of use to look at."
    pace = display.about_core_hours(found.pace.mean)
    return f"At its present pace, about {pace} core-hours a day, it {_end_words(found, limits)}."


def _size_words(prospect: Prospect, cpu_millicores: int) -> str:
    rate = f"{display.cores(cpu_millicores)} core-hours per hour."
    limits = prospect.balance.limits
    if limits is None or prospect.left(limits) <= 0:
        return rate
    found = prospect.forecast(limits, cpu_millicores=cpu_millicores)
    together = (
        f" If it runs without a pause, at the group's present pace, the group "
        f"{_end_words(found, limits)}."
        if found
        else ""
    )
    return f"{rate}{together} {_alone_words(prospect, limits, cpu_millicores)}"


def _alone_words(prospect: Prospect, limits: Limits, cpu_millicores: int) -> str:
    hours = _hours_alone(prospect, limits, cpu_millicores)
    if timedelta(hours=hours) >= limits.resets_at - prospect.at:
        return "Alone, it could run to the end of the period on what is left."
    return f"Alone, it could run for {_time_words(hours)} on what is left."


def _end_words(found: Forecast, limits: Limits) -> str:
    if found.runs_out is None:
        return f"lasts to the end of the period on {display.long_day(limits.resets_at)}"
    return f"runs out on {display.long_day(found.runs_out)}"


def _hours_alone(prospect: Prospect, limits: Limits, cpu_millicores: int) -> int:
    return max(0, prospect.left(limits)) // (cpu_millicores * HOUR_SECONDS)


def _time_words(hours: int) -> str:
    if hours < 1:
        return "less than an hour"
    if hours <= TWO_DAYS:
        return "1 hour" if hours == 1 else f"{hours} hours"
    return f"{hours // 24:,} days"


def _date(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d}"
