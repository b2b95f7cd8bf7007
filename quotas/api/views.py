"""Allocation periods, quotas and grants for programs."""

from __future__ import annotations

from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from rest_framework import status
from rest_framework.response import Response

from accounts.api.idempotency import idempotent
from accounts.api.permissions import require
from accounts.api.views import Records, writes
from accounts.api.visible import led_groups
from accounts.models import User
from lsp_portal.lib import clock
from quotas.api import filters, serializers
from quotas.models import AllocationPeriod, ComputeQuota, Grant, StorageQuota

Row = TypeVar("Row", bound=Model)


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

    @writes(serializers.NewPeriodSerializer, serializers.PeriodSerializer, 201)
    @idempotent
    def create(self, request: Any) -> Response:
        """Make an allocation period."""
        require(request, "quotas.add_allocationperiod")
        return self.answer(
            _made(AllocationPeriod(**self.checked(serializers.NewPeriodSerializer))),
            status.HTTP_201_CREATED,
        )


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

    @writes(serializers.NewComputeQuotaSerializer, serializers.ComputeQuotaSerializer, 201)
    @idempotent
    def create(self, request: Any) -> Response:
        """Give a group core-hours in a period."""
        require(request, "quotas.add_computequota")
        made = _made(ComputeQuota(**self.checked(serializers.NewComputeQuotaSerializer)))
        found = ComputeQuota.objects.with_limit(at=clock.now()).get(pk=made.pk)
        return self.answer(found, status.HTTP_201_CREATED)


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

    @writes(serializers.NewStorageQuotaSerializer, serializers.StorageQuotaSerializer, 201)
    @idempotent
    def create(self, request: Any) -> Response:
        """Give a group storage in a period."""
        require(request, "quotas.add_storagequota")
        return self.answer(
            _made(StorageQuota(**self.checked(serializers.NewStorageQuotaSerializer))),
            status.HTTP_201_CREATED,
        )


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

    @writes(serializers.NewGrantSerializer, serializers.GrantSerializer, 201)
    @idempotent
    def create(self, request: Any) -> Response:
        """Give core-hours on top of a quota, or take some off it."""
        require(request, "quotas.add_grant")
        if not isinstance(request.user, User):
            raise PermissionDenied("A grant has an author: use a personal token.")
        values = self.checked(serializers.NewGrantSerializer)
        made = _made(Grant(**values, author=request.user))
        return self.answer(made, status.HTTP_201_CREATED)


def _made(row: Row) -> Row:
    """The row, stored. Raises ValidationError by field for what its model does not allow."""
    row.full_clean()
    row.save(force_insert=True)
    return row
