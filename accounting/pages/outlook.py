"""What a group's page says about the days to come: how long the quota lasts, and what-ifs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django import forms

from accounting import usage
from accounting.usage import Window
from accounts.models import Group
from lsp_portal.lib.forms import PortalForm
from quotas import forecast
from quotas.forecast import Forecast, Workshop
from quotas.models import ComputeQuota
from quotas.vocabulary import millicore_seconds
from sessions.models import Size
from sessions.pace import paces


@dataclass(frozen=True, slots=True)
class Outlook:
    """What remains of a group's quota in the current period, and what becomes of it.

    `forecast` is None where fewer than seven full days can be looked at.
    """

    quota: ComputeQuota
    remaining: int
    forecast: Forecast | None


def outlook(group: Group, *, at: datetime) -> Outlook | None:
    """The outlook on the quota of the period that contains `at`; None without one."""
    quota = ComputeQuota.objects.of(group, at=at).with_limit(at=at).first()
    if quota is None:
        return None
    period = Window(quota.period.starts_at, quota.period.ends_at, at)
    used = usage.total(period, group=group).millicore_seconds
    remaining = millicore_seconds(quota.limit) - used
    return Outlook(quota, remaining, _forecast(group, quota, remaining, at=at))


def with_workshop(group: Group, now: Outlook, plan: Workshop, *, at: datetime) -> Outlook:
    """The outlook if the workshop were charged to the group on top of everything else."""
    left = now.remaining - plan.millicore_seconds
    return Outlook(now.quota, left, _forecast(group, now.quota, left, at=at))


def _forecast(
    group: Group, quota: ComputeQuota, remaining: int, *, at: datetime
) -> Forecast | None:
    pace = paces([group.pk], at=at)[group.pk]
    if pace is None:
        return None
    return forecast.forecast(pace, remaining=remaining, at=at, ends_at=quota.period.ends_at)


class WorkshopForm(PortalForm):
    """Some people with a size each."""

    marks_optional = False

    people = forms.IntegerField(min_value=1, max_value=10_000, initial=20)
    size = forms.ModelChoiceField(Size.objects.order_by("position", "name"), empty_label=None)
    hours = forms.IntegerField(label="Hours a day", min_value=1, max_value=24, initial=6)
    days = forms.IntegerField(min_value=1, max_value=366, initial=3)

    def plan(self) -> Workshop:
        """The workshop of a valid form."""
        chosen = self.cleaned_data
        return Workshop(
            people=chosen["people"],
            cpu_millicores=chosen["size"].cpu_millicores,
            hours=chosen["hours"],
            days=chosen["days"],
        )


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What a workshop needs, and the outlook with it; None for either without a quota."""

    plan: Workshop
    people_within: int | None
    after: Outlook | None

    @property
    def missing(self) -> int:
        """How much of the quota is missing for it."""
        return max(0, -self.after.remaining) if self.after else 0


def what_if(group: Group, now: Outlook | None, plan: Workshop, *, at: datetime) -> WhatIf:
    """The group's outlook with the workshop."""
    if now is None:
        return WhatIf(plan, None, None)
    after = with_workshop(group, now, plan, at=at)
    return WhatIf(plan, plan.people_within(now.remaining), after)
