"""The administration's page that makes allocation periods in a row."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render

from quotas.models import AllocationPeriod
from quotas.series import FIELDS, BadSeries, Planned, make, plan


class SeriesForm(forms.Form):
    """The first day, how long and how many."""

    first = forms.DateField(label="First day", help_text="YYYY-MM-DD, in UTC.")
    months = forms.IntegerField(label="Months in each", min_value=1, max_value=120, initial=3)
    count = forms.IntegerField(label="How many", min_value=1, max_value=100, initial=4)
    title = forms.CharField(
        max_length=60, initial="{year} Q{n}", help_text=f"A pattern: it may have {FIELDS}."
    )
    quotas_of = forms.ModelChoiceField(
        AllocationPeriod.objects.order_by("-starts_on"),
        required=False,
        label="With the quotas of",
        help_text="Each group that is not closed gets the same again; grants are left out.",
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not self.errors:
            wish = {name: values[name] for name in ("first", "months", "count", "title")}
            try:
                values["series"] = plan(**wish)
            except BadSeries as error:
                self.add_error(None, str(error))
        return values


def series_page(request: HttpRequest, site: admin.AdminSite) -> HttpResponseBase:
    """The form; what it would make; and, asked a second time, the periods."""
    if not request.user.has_perm("quotas.add_allocationperiod"):
        raise PermissionDenied
    form = SeriesForm(request.POST or None)
    series: list[Planned] = form.cleaned_data.get("series", []) if form.is_valid() else []
    is_free = bool(series) and not any(planned.obstacle for planned in series)
    if is_free and "make" in request.POST and _made(request, form, series):
        return redirect("admin:quotas_allocationperiod_changelist")
    shown = {
        **site.each_context(request),
        "title": "Make periods in a row",
        "form": form,
        "series": series,
        "is_free": is_free,
    }
    return render(request, "admin/quotas/allocationperiod/series.html", shown)


def _made(request: HttpRequest, form: SeriesForm, series: list[Planned]) -> bool:
    try:
        number = make(series, quotas_of=form.cleaned_data["quotas_of"])
    except (BadSeries, IntegrityError):
        form.add_error(None, "Somebody else made a period on these days just now.")
        return False
    messages.success(request, f"Made {number} allocation periods.")
    return True
