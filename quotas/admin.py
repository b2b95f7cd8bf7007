"""Allocation periods and quotas, also on the page of the group that has them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, TypeVar

from django.contrib import admin
from django.db.models import Count, Model, OuterRef, PositiveBigIntegerField, QuerySet
from django.db.models import Subquery as Sub
from django.http import HttpRequest

from accounts.admin import GroupAdmin
from accounts.models import Group
from lsp_portal.lib import clock
from lsp_portal.lib.admin import CheckedRows, ChoicesReadOnce, PortalAdmin, list_link
from lsp_portal.lib.byte_sizes import ByteSizeField
from lsp_portal.lib.display import byte_size
from quotas.models import AllocationPeriod, ComputeQuota, StorageQuota

Quota = TypeVar("Quota", bound=ComputeQuota | StorageQuota)
Parent = TypeVar("Parent", bound=Model)
BYTES: dict[type[Any], dict[str, Any]] = {PositiveBigIntegerField: {"form_class": ByteSizeField}}


class QuotaOfGroupInline(ChoicesReadOnce[Quota, Group], admin.TabularInline[Quota, Group]):
    formset: Any = CheckedRows
    extra = 0
    can_delete = False
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Quota]:
        rows = super().get_queryset(request).select_related("group", "period")
        return rows.order_by("-period__starts_on")


class ComputeQuotaOfGroupInline(QuotaOfGroupInline[ComputeQuota]):
    model = ComputeQuota
    fields = ("period", "core_hours", "mode")


class StorageQuotaOfGroupInline(QuotaOfGroupInline[StorageQuota]):
    model = StorageQuota
    fields = ("period", "limit_bytes")
    formfield_overrides = BYTES


class NewQuotaInline(admin.TabularInline[Quota, AllocationPeriod]):
    """Quotas to give in a period; those that were given have a list of their own."""

    formset: Any = CheckedRows
    extra = 0
    can_delete = False
    autocomplete_fields = ("group",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NewComputeQuotaInline(NewQuotaInline[ComputeQuota]):
    model = ComputeQuota
    fields = ("group", "core_hours", "mode")
    verbose_name_plural = "further compute quotas"


class NewStorageQuotaInline(NewQuotaInline[StorageQuota]):
    model = StorageQuota
    fields = ("group", "limit_bytes")
    verbose_name_plural = "further storage quotas"
    formfield_overrides = BYTES


@admin.register(AllocationPeriod)
class AllocationPeriodAdmin(PortalAdmin[AllocationPeriod]):
    """Periods; one that quotas refer to cannot be deleted."""

    list_display = ("title", "starts_on", "ends_on", "is_current", "compute_quotas", "storage")
    search_fields = ("title",)
    ordering = ("-starts_on",)
    readonly_fields = ("links",)
    inlines = (NewComputeQuotaInline, NewStorageQuotaInline)

    def get_fields(
        self, request: HttpRequest, obj: AllocationPeriod | None = None
    ) -> tuple[str, ...]:
        return ("title", "starts_on", "ends_on", *(["links"] if obj else []))

    def get_queryset(self, request: HttpRequest) -> QuerySet[AllocationPeriod]:
        numbers = {"_compute": _number(ComputeQuota), "_storage": _number(StorageQuota)}
        return super().get_queryset(request).annotate(**numbers)

    @admin.display(boolean=True, description="current")
    def is_current(self, period: AllocationPeriod) -> bool:
        return period.starts_at <= clock.now() < period.ends_at

    @admin.display(description="compute quotas")
    def compute_quotas(self, period: AllocationPeriod) -> str:
        return _given(ComputeQuota, period, getattr(period, "_compute", 0))

    @admin.display(description="storage quotas")
    def storage(self, period: AllocationPeriod) -> str:
        return _given(StorageQuota, period, getattr(period, "_storage", 0))

    @admin.display(description="given")
    def links(self, period: AllocationPeriod) -> str:
        return self.compute_quotas(period) + " · " + self.storage(period)  # both are safe


def _number(model: type[Model]) -> Sub:
    of_period = model._default_manager.filter(period=OuterRef("pk")).order_by()
    return Sub(of_period.values("period").annotate(number=Count("pk")).values("number"))


def _given(model: type[Model], period: AllocationPeriod, number: int | None) -> str:
    text = f"{number or 0} {model._meta.verbose_name_plural}"
    return list_link(model, text, period__id__exact=period.pk)


class QuotaAdmin(PortalAdmin[Quota]):
    """Quotas; those of a period that is over are history."""

    list_filter: ClassVar[tuple[str, ...]] = ("period",)
    list_select_related = ("group", "period")
    search_fields = ("group__name", "group__title")
    search_help_text = "Name or title of the group"
    autocomplete_fields = ("group", "period")
    ordering = ("-period__starts_on", "group__name")

    def has_delete_permission(self, request: HttpRequest, obj: Quota | None = None) -> bool:
        over = obj is not None and obj.period.ends_at <= clock.now()
        return super().has_delete_permission(request, obj) and not over


@admin.register(ComputeQuota)
class ComputeQuotaAdmin(QuotaAdmin[ComputeQuota]):
    list_display = ("group", "period", "core_hours", "mode")
    list_editable = ("core_hours", "mode")
    list_filter = ("period", "mode")


@admin.register(StorageQuota)
class StorageQuotaAdmin(QuotaAdmin[StorageQuota]):
    list_display = ("group", "period", "limit")
    formfield_overrides = BYTES

    @admin.display(ordering="limit_bytes")
    def limit(self, quota: StorageQuota) -> str:
        return byte_size(quota.limit_bytes)


admin.site.unregister(Group)


@admin.register(Group)
class GroupWithQuotasAdmin(GroupAdmin):
    """Groups, with what they are given."""

    list_display = (*GroupAdmin.list_display, "quota")
    inlines = (*GroupAdmin.inlines, ComputeQuotaOfGroupInline, StorageQuotaOfGroupInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).annotate(_quota=_current_quota(clock.now()))

    @admin.display(description="core-hours now", ordering="_quota")
    def quota(self, group: Group) -> str:
        """The compute quota of the current period."""
        hours = getattr(group, "_quota")  # noqa: B009 - annotated
        return "no quota" if hours is None else f"{hours.normalize():,f}"


def _current_quota(at: datetime) -> Sub:
    period = AllocationPeriod.objects.current(at=at)
    quotas = ComputeQuota.objects.filter(period=period, group=OuterRef("pk"))
    return Sub(quotas.values("core_hours"))
