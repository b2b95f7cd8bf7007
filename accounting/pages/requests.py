"""What the pages of requests show: facts of the group at a moment, and the forms."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

from django import forms
from django.db.models import Sum

from accounting.pages.outlook import outlook
from accounts.models import Group
from lsp_portal.lib.forms import PortalForm
from quotas.forecast import DAY_SECONDS
from quotas.models import AllocationPeriod, Award, ComputeQuota, QuotaRequest, StorageQuota
from quotas.requests import REASON_LENGTH, RequestError, read_amount
from quotas.vocabulary import core_hours, millicore_seconds
from sessions.models import StorageSample
from sessions.pace import paces


class AskForm(PortalForm):
    """What a group asks for."""

    kind = forms.ChoiceField(label="What", choices=QuotaRequest.Kind.choices)
    period = forms.ModelChoiceField(AllocationPeriod.objects.none(), empty_label=None)
    amount = forms.CharField(
        max_length=40,
        help_text="Core-hours on top of what the group has in the period; for storage"
        " the new limit, as 500 GiB or 1.5 TiB.",
    )
    reason = forms.CharField(max_length=2000, widget=forms.Textarea(attrs={"rows": 4}))

    def __init__(self, *args: Any, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = AllocationPeriod.objects.filter(ends_on__gt=at.date()).order_by("starts_on")
        self.fields["period"].queryset = rows  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "amount" in cleaned and "kind" in cleaned:
            try:
                cleaned["amount"] = read_amount(cleaned["kind"], cleaned["amount"])
            except RequestError as error:
                self.add_error(error.field, str(error))
        return cleaned


class AnswerForm(PortalForm):
    """What an administrator decides, and why."""

    DECISIONS = (("grant", "Grant it"), ("counter", "Offer another amount"), ("decline", "Decline"))

    decision = forms.ChoiceField(choices=DECISIONS)
    amount = forms.CharField(max_length=40, required=False, label="Another amount")
    answer = forms.CharField(
        label="Reason", max_length=REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("decision") == "counter":
            try:
                cleaned["amount"] = read_amount(self.kind, cleaned.get("amount", ""))
            except RequestError as error:
                self.add_error("amount", str(error))
        return cleaned


def facts(group: Group, *, at: datetime) -> dict[str, Any]:
    """Use, limit and forecast of the current period at that moment, and the storage."""
    now, pace = outlook(group, at=at), paces([group.pk], at=at)[group.pk]
    samples = StorageSample.objects.filter(group=group).newest()
    quota = StorageQuota.objects.of(group, at=at).first()
    limit = millicore_seconds(now.quota.limit) if now else None
    runs_out = now and now.forecast and now.forecast.runs_out
    return {
        "at": at.isoformat(),
        "limit": limit,
        "used": limit - now.remaining if now and limit is not None else None,
        "per_day": round(pace.mean) if pace else None,
        "runs_out": runs_out.isoformat() if runs_out else None,
        "expires": now.forecast.expires.expected if now and now.forecast else None,
        "storage_used": sum(sample.used_bytes for sample in samples),
        "storage_limit": quota.limit_bytes if quota else None,
    }


def renewal(known: dict[str, Any], period: AllocationPeriod) -> str:
    """Core-hours for a whole period at the pace of these days, rounded up; empty without one."""
    if known["per_day"] is None:
        return ""
    seconds = (period.ends_at - period.starts_at).total_seconds()
    hours = core_hours(round(known["per_day"] * seconds / DAY_SECONDS))
    return str(hours.to_integral_value(rounding=ROUND_CEILING)) if hours else ""


def initial(group: Group, *, at: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """The facts, and what the form begins with: the next period, as far as there is one."""
    known = facts(group, at=at)
    coming = AllocationPeriod.objects.filter(starts_on__gt=at.date()).order_by("starts_on").first()
    if coming is None:
        return known, {}
    return known, {"kind": "hours", "period": coming.pk, "amount": renewal(known, coming)}


def not_given(period: AllocationPeriod, *, at: datetime) -> int | None:
    """Millicore-seconds awarded to the service that no group has; None without awards."""
    awarded = Award.objects.filter(period=period).aggregate(sum=Sum("core_hours"))["sum"]
    if awarded is None:
        return None
    limits = ComputeQuota.objects.filter(period=period).with_limit(at=at)
    given = sum((quota.limit for quota in limits), Decimal(0))
    return millicore_seconds(awarded) - millicore_seconds(given)
