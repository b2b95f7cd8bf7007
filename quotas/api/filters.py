"""By what lists of periods, quotas and grants can be narrowed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db.models import Q
from django_filters import rest_framework as filters

from quotas.models import AllocationPeriod, ComputeQuota, Grant, StorageQuota

LARGEST_KEY = 2**63 - 1


def _containing(prefix: str, at: datetime) -> Q:
    day = at.astimezone(UTC).date()
    return Q(**{f"{prefix}starts_on__lte": day, f"{prefix}ends_on__gt": day})


class PeriodFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    at = filters.IsoDateTimeFilter(
        method="containing", label="Moment", help_text="The period that contains that moment."
    )

    class Meta:
        model = AllocationPeriod
        fields = ("title",)

    def containing(self, rows: Any, name: str, value: datetime) -> Any:
        return rows.filter(_containing("", value))


class QuotaFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    group = filters.CharFilter(field_name="group__name", max_length=30)
    period = filters.NumberFilter(field_name="period_id", min_value=1, max_value=LARGEST_KEY)
    at = filters.IsoDateTimeFilter(
        method="containing", label="Moment", help_text="Of the period that contains that moment."
    )

    def containing(self, rows: Any, name: str, value: datetime) -> Any:
        return rows.filter(_containing("period__", value))


class ComputeQuotaFilter(QuotaFilter):
    class Meta:
        model = ComputeQuota
        fields = ("mode",)


class StorageQuotaFilter(QuotaFilter):
    class Meta:
        model = StorageQuota
        fields: tuple[str, ...] = ()


class GrantFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    group = filters.CharFilter(field_name="quota__group__name", max_length=30)
    period = filters.NumberFilter(field_name="quota__period_id", min_value=1, max_value=LARGEST_KEY)
    at = filters.IsoDateTimeFilter(
        method="in_force", label="Moment", help_text="What counts at that moment."
    )

    class Meta:
        model = Grant
        fields: tuple[str, ...] = ()

    def in_force(self, rows: Any, name: str, value: datetime) -> Any:
        return rows.in_force(at=value)
