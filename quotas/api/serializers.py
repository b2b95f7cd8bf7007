"""What the API says about periods, quotas and grants."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from quotas.models import AllocationPeriod, ComputeQuota, Grant, StorageQuota

PERIOD: dict[str, Any] = {
    "id": 3,
    "title": "2026",
    "starts_on": "2026-01-01",
    "ends_on": "2027-01-01",
}
COMPUTE_QUOTA: dict[str, Any] = {
    "id": 7,
    "group": "transients",
    "period": 3,
    "core_hours": "1000.000000",
    "limit": "1200.000000",
    "mode": "soft",
}
STORAGE_QUOTA: dict[str, Any] = {
    "id": 4,
    "group": "transients",
    "period": 3,
    "limit_bytes": 1_000_000_000_000,
}
GRANT: dict[str, Any] = {
    "id": 9,
    "quota": 7,
    "group": "transients",
    "core_hours": "200.000000",
    "reason": "For the follow-up of a supernova",
    "author": "dora",
    "valid_from": "2026-03-01T00:00:00Z",
    "valid_to": None,
    "counterpart": None,
}


def _example(name: str, value: dict[str, Any]) -> Any:
    return extend_schema_serializer(examples=[OpenApiExample(name, value=value)])


def _group(**options: Any) -> serializers.SlugRelatedField[Any]:
    return serializers.SlugRelatedField(slug_field="name", read_only=True, **options)


@_example("a period", PERIOD)
class PeriodSerializer(serializers.ModelSerializer[AllocationPeriod]):
    class Meta:
        model = AllocationPeriod
        fields = tuple(PERIOD)
        read_only_fields = fields


@_example("a compute quota", COMPUTE_QUOTA)
class ComputeQuotaSerializer(serializers.ModelSerializer[ComputeQuota]):
    group = _group()
    limit = serializers.DecimalField(
        max_digits=None, decimal_places=6, read_only=True,
        help_text="Core-hours with all grants of this moment.",
    )  # fmt: skip

    class Meta:
        model = ComputeQuota
        fields = tuple(COMPUTE_QUOTA)
        read_only_fields = fields


@_example("a storage quota", STORAGE_QUOTA)
class StorageQuotaSerializer(serializers.ModelSerializer[StorageQuota]):
    group = _group()

    class Meta:
        model = StorageQuota
        fields = tuple(STORAGE_QUOTA)
        read_only_fields = fields


@_example("a grant", GRANT)
class GrantSerializer(serializers.ModelSerializer[Grant]):
    group = _group(source="quota.group")
    author: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = Grant
        fields = tuple(GRANT)
        read_only_fields = fields
