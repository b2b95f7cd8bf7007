"""What the API says about periods, quotas and grants."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from accounts.api.serializers import Refusing
from accounts.models import Group
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


def _hours(**options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=16, decimal_places=6, **options)


def _key(rows: Any) -> Any:
    return serializers.PrimaryKeyRelatedField(queryset=rows)


@_example("a new period", {"title": "2027", "starts_on": "2027-01-01", "ends_on": "2028-01-01"})
class NewPeriodSerializer(Refusing):
    title = serializers.CharField(max_length=60)
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="The period ends before this day.")


class NewQuotaSerializer(Refusing):
    group: Any = serializers.SlugRelatedField(slug_field="name", queryset=Group.objects.all())
    period = _key(AllocationPeriod.objects.all())


@_example("a new quota", {"group": "transients", "period": 3, "core_hours": "1000"})
class NewComputeQuotaSerializer(NewQuotaSerializer):
    core_hours = _hours()
    mode = serializers.ChoiceField(ComputeQuota.Mode.choices, required=False)


@_example("a new storage quota", {"group": "transients", "period": 3, "limit_bytes": 10**12})
class NewStorageQuotaSerializer(NewQuotaSerializer):
    limit_bytes = serializers.IntegerField(min_value=0, max_value=2**63 - 1)


@_example("a new grant", {"quota": 7, "core_hours": "200", "reason": "Follow-up of a supernova"})
class NewGrantSerializer(Refusing):
    quota = _key(ComputeQuota.objects.all())
    core_hours = _hours(help_text="Below zero to take some away.")
    reason = serializers.CharField(max_length=300)
    valid_from = serializers.DateTimeField(required=False)
    valid_to = serializers.DateTimeField(required=False, allow_null=True)
