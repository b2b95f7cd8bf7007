"""Allocation periods, quotas and grants for programs."""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.api.views import Records
from accounts.api.visible import led_groups
from lsp_portal.lib import clock
from quotas.api import filters, serializers
from quotas.models import AllocationPeriod, ComputeQuota, Grant, StorageQuota


class PeriodViewSet(Records):
    """Allocation periods; everybody may know them."""

    serializer_class = serializers.PeriodSerializer
    filterset_class = filters.PeriodFilter
    ordering_fields = ("starts_on", "title")
    ordering = ("-starts_on",)
    lookup_url_kwarg = "period"
    lookup_value_regex = "[0-9]{1,18}"

    def visible(self) -> QuerySet[AllocationPeriod]:
        return AllocationPeriod.objects.all()


class ComputeQuotaViewSet(Records):
    """Core-hours of the groups whose usage one may see, with all grants of this moment."""

    serializer_class = serializers.ComputeQuotaSerializer
    filterset_class = filters.ComputeQuotaFilter
    ordering_fields = ("group__name", "period__starts_on", "core_hours")
    ordering = ("-period__starts_on", "group__name")
    lookup_url_kwarg = "quota"
    lookup_value_regex = "[0-9]{1,18}"

    def visible(self) -> QuerySet[ComputeQuota]:
        at = clock.now()
        groups = led_groups(self.request.user, at=at)  # type: ignore[arg-type]
        rows = ComputeQuota.objects.filter(group__in=groups.values("pk"))
        return rows.select_related("group").with_limit(at=at)


class StorageQuotaViewSet(Records):
    """Bytes of the groups whose usage one may see."""

    serializer_class = serializers.StorageQuotaSerializer
    filterset_class = filters.StorageQuotaFilter
    ordering_fields = ("group__name", "period__starts_on", "limit_bytes")
    ordering = ("-period__starts_on", "group__name")
    lookup_url_kwarg = "quota"
    lookup_value_regex = "[0-9]{1,18}"

    def visible(self) -> QuerySet[StorageQuota]:
        groups = led_groups(self.request.user, at=clock.now())  # type: ignore[arg-type]
        return StorageQuota.objects.filter(group__in=groups.values("pk")).select_related("group")


class GrantViewSet(Records):
    """What groups whose usage one may see were given on top of a quota, or lost of it."""

    serializer_class = serializers.GrantSerializer
    filterset_class = filters.GrantFilter
    ordering_fields = ("valid_from", "core_hours")
    ordering = ("-valid_from",)
    lookup_url_kwarg = "grant"
    lookup_value_regex = "[0-9]{1,18}"

    def visible(self) -> QuerySet[Grant]:
        groups = led_groups(self.request.user, at=clock.now())  # type: ignore[arg-type]
        rows = Grant.objects.filter(quota__group__in=groups.values("pk"))
        return rows.select_related("quota__group", "author")
