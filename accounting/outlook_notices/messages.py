"""What there is to tell of a quota at a moment: pure, with a key for each step of it.

The keys carry the limit: after a grant, or a change of the quota, the steps are told anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.urls import reverse

from accounts.models import Topic
from accounts.notices.announcing import Message
from lsp_portal.lib.display import about_core_hours, core_hours, long_day
from quotas.forecast import Band, Forecast

RUNS_OUT_STEPS = (7, 14, 28)
"""So many days before the quota is expected to run out it is told again."""

EXPIRES_STEPS = (90, 75, 50)
"""Percent of the period after which it is told what is going to expire."""

EXPIRES_PERCENT = 10
"""Less of a quota that expires is not worth a message."""

ENDS_STEPS = (7, 30)
"""Days before the end of a period."""

IN_EIGHT_OF_TEN = "in 8 of 10 cases, if the days to come are like those before"


@dataclass(frozen=True, slots=True)
class Account:
    """A group's quota in the current period, in millicore-seconds, and what becomes of it."""

    quota: int
    group_name: str
    group_title: str
    period_title: str
    starts_at: datetime
    ends_at: datetime
    limit: int
    used: int
    mode_words: str
    forecast: Forecast | None

    @property
    def left(self) -> int:
        return self.limit - self.used

    def key(self, step: str) -> str:
        return f"outlook:quota-{self.quota}:{self.limit}:{step}"

    def message(self, topic: Topic, step: str, subject: str, *paragraphs: str) -> Message:
        return Message(
            topic=topic,
            key=self.key(step),
            subject=f"{self.group_title}: {subject}"[:200],
            text="\n\n".join(paragraphs),
            link=reverse("group", args=[self.group_name]),
            link_label="See the group's usage",
        )


def messages(account: Account, *, at: datetime) -> list[Message]:
    """Everything that is to be told at that moment; who was told before is not told again."""
    return [*_of_forecast(account, at), *_of_period(account, at)]


def _of_forecast(account: Account, at: datetime) -> Iterator[Message]:
    found = account.forecast
    if found is None or account.left <= 0:
        return
    if found.runs_out is not None:
        days = _days(found.runs_out - at)
        step = next((step for step in RUNS_OUT_STEPS if days <= step), None)
        yield _runs_out(account, found, found.runs_out, step)
    elif 100 * found.expires.expected >= EXPIRES_PERCENT * account.limit:
        percent = 100 * (at - account.starts_at) / (account.ends_at - account.starts_at)
        passed = next((step for step in EXPIRES_STEPS if percent >= step), None)
        if passed is not None:
            yield _expires(account, found, passed)


def _of_period(account: Account, at: datetime) -> Iterator[Message]:
    """A step that would lie in the first half of a short period is left out."""
    half = _days(account.ends_at - account.starts_at) / 2
    days = _days(account.ends_at - at)
    step = next((step for step in ENDS_STEPS if days <= step <= half), None)
    if step is not None:
        yield _ends(account, step, days)


def _runs_out(account: Account, found: Forecast, moment: datetime, step: int | None) -> Message:
    end = long_day(account.ends_at)
    return account.message(
        Topic.FORECAST,
        f"runs-out-{step or 'early'}",
        f"the quota runs out on about {long_day(moment)}",
        f"At the pace of the last four weeks, about {about_core_hours(found.pace.mean)} core-hours "
        f"a day, the compute quota of the group “{account.group_title}” runs out on about "
        f"{long_day(moment)}. The period “{account.period_title}” ends on {end}.",
        _when_words(found),
        f"{core_hours(account.left)} of {core_hours(account.limit)} core-hours are left. "
        f"{account.mode_words}",
        "Smaller sizes and stopping idle servers make it last longer. Whoever looks after the "
        "quota can ask the administrators for more.",
    )


def _when_words(found: Forecast) -> str:
    earliest = long_day(found.earliest) if found.earliest else ""
    if found.latest is None:
        return f"It may last, or run out on {earliest} already: no earlier {IN_EIGHT_OF_TEN}."
    return f"It is between {earliest} and {long_day(found.latest)} {IN_EIGHT_OF_TEN}."


def _expires(account: Account, found: Forecast, step: int) -> Message:
    hours, end = about_core_hours(found.expires.expected), long_day(account.ends_at)
    return account.message(
        Topic.FORECAST,
        f"expires-{step}",
        f"about {hours} core-hours will expire on {end}",
        f"At the pace of the last four weeks, about {about_core_hours(found.pace.mean)} core-hours "
        f"a day, the group “{account.group_title}” leaves about {hours} of its "
        f"{core_hours(account.limit)} core-hours unused when the period “{account.period_title}” "
        f"ends on {end}. They expire then.",
        _band_words(found.expires),
        "Work that waits for computing time fits now. What the group does not need, the "
        "administrators can move to another group.",
    )


def _band_words(band: Band) -> str:
    low, high = about_core_hours(band.low), about_core_hours(band.high)
    return f"It is between {low} and {high} core-hours {IN_EIGHT_OF_TEN}."


def _ends(account: Account, step: int, days: int) -> Message:
    end = long_day(account.ends_at)
    used, limit = core_hours(account.used), core_hours(account.limit)
    left = (
        f"{core_hours(account.left)} are left and expire then."
        if account.left > 0
        else "none are left."
    )
    return account.message(
        Topic.PERIOD,
        f"ends-{step}",
        f"the period “{account.period_title}” ends on {end}",
        f"The allocation period “{account.period_title}” ends on {end}, {_in_words(days)}. The "
        f"group “{account.group_title}” has used {used} of its {limit} core-hours; {left}",
        "For the time after it, whoever looks after the quota can ask for a renewal.",
    )


def _in_words(days: int) -> str:
    return "in 1 day" if days == 1 else f"in {days} days"


def _days(length: timedelta) -> int:
    return ceil(length / timedelta(days=1))
