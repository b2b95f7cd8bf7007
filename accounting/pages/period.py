"""Which window of time a page is about: an allocation period, or any dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms

from accounting.usage import Window
from lsp_portal.lib.forms import PortalForm
from quotas.models import AllocationPeriod

DEFAULT_DAYS = 30
LONGEST = timedelta(days=3 * 366)
"""Longer windows would make charts that nobody can read."""

EARLIEST, LATEST = date(2000, 1, 1), date(2099, 12, 31)
"""What lies outside is a slip of the finger."""


class PeriodForm(PortalForm):
    """An allocation period, or first and last day (both included, UTC).

    The form shows both, so what was changed is the wish: dates that differ from those of the
    period shown count, although that period is still selected.
    """

    marks_optional = False

    period = forms.ModelChoiceField(
        AllocationPeriod.objects.all(), required=False, empty_label="Other dates"
    )
    first = forms.DateField(
        label="First day", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    last = forms.DateField(
        label="Last day", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and self._dates_changed(cleaned):
            cleaned["period"] = None
        if not self.errors and cleaned["period"] is None:
            self._check(cleaned["first"], cleaned["last"])
        return cleaned

    def _dates_changed(self, cleaned: Mapping[str, Any]) -> bool:
        period, dates = cleaned["period"], (cleaned["first"], cleaned["last"])
        was_shown = period is not None and cleaned["shown"] == str(period.pk)
        return was_shown and dates != (None, None) and dates != days_of(period)

    def _check(self, first: date | None, last: date | None) -> None:
        if first is None or last is None:
            raise forms.ValidationError("Choose a period, or give the first and the last day.")
        for name, day in (("first", first), ("last", last)):
            if not EARLIEST <= day <= LATEST:
                self.add_error(name, f"Choose a day from {EARLIEST} to {LATEST}.")
        if last < first:
            self.add_error("last", "The last day must not be before the first.")
        elif last - first > LONGEST:
            self.add_error("last", "Choose at most three years.")


@dataclass(frozen=True)
class Choice:
    """The window of a page, the period that it is (if it is one), and the form that chose it."""

    form: PeriodForm
    window: Window
    period: AllocationPeriod | None

    @property
    def title(self) -> str:
        if self.period is not None:
            return self.period.title
        if self.first_day == self.last_day:
            return str(self.first_day)
        return f"{self.first_day} to {self.last_day}"

    @property
    def first_day(self) -> date:
        return self.window.start.astimezone(UTC).date()

    @property
    def last_day(self) -> date:
        return (self.window.end - timedelta(days=1)).astimezone(UTC).date()

    @property
    def is_current(self) -> bool:
        """Whether the window contains the present, so that its numbers still move."""
        return self.window.start <= self.window.at < self.window.end

    @property
    def errors(self) -> list[str]:
        """What is wrong with the wish; the window is the usual one then."""
        return [str(error) for errors in self.form.errors.values() for error in errors]

    @property
    def query_string(self) -> str:
        """The parameters of an address that lead to the same window."""
        if self.period is not None:
            return urlencode({"period": self.period.pk})
        return urlencode({"first": self.first_day, "last": self.last_day})


def choose(data: Mapping[str, Any], *, at: datetime) -> Choice:
    """The window that the address asks for; without (or with bad) wishes the current period."""
    wished = any(data.get(name) for name in ("period", "first", "last"))
    form = PeriodForm(data) if wished else None
    if form is not None and form.is_valid():
        return _wished(form, at=at)
    usual = _usual(at=at)
    return Choice(form, usual.window, usual.period) if form is not None else usual


def days_of(period: AllocationPeriod) -> tuple[date, date]:
    """The first and the last day of a period."""
    return period.starts_on, period.ends_on - timedelta(days=1)


def _wished(form: PeriodForm, *, at: datetime) -> Choice:
    period = form.cleaned_data["period"]
    if period is not None:
        return _of_period(period, at=at)
    return _of_dates(form.cleaned_data["first"], form.cleaned_data["last"], at=at)


def _usual(*, at: datetime) -> Choice:
    period = AllocationPeriod.objects.current(at=at)
    if period is not None:
        return _of_period(period, at=at)
    today = at.astimezone(UTC).date()
    return _of_dates(today - timedelta(days=DEFAULT_DAYS - 1), today, at=at)


def _of_period(period: AllocationPeriod, *, at: datetime) -> Choice:
    first, last = days_of(period)
    shown = {"period": period, "first": first, "last": last, "shown": period.pk}
    window = Window(period.starts_at, period.ends_at, at)
    return Choice(PeriodForm(initial=shown), window, period)


def _of_dates(first: date, last: date, *, at: datetime) -> Choice:
    start = datetime.combine(first, time(), UTC)
    end = datetime.combine(last + timedelta(days=1), time(), UTC)
    return Choice(PeriodForm(initial={"first": first, "last": last}), Window(start, end, at), None)
