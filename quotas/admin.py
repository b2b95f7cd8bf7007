"""Allocation periods and quotas, also on the page of the group that has them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Model, OuterRef, PositiveBigIntegerField, Q, QuerySet
from django.db.models import Subquery as Sub
from django.forms import BaseInlineFormSet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin import GroupAdmin
from accounts.models import Group, User
from lsp_portal.lib import clock
from lsp_portal.lib.admin import (
    BigTableAdmin,
    CheckedRows,
    ChoicesReadOnce,
    PortalAdmin,
    list_link,
    pretty_json,
)
from lsp_portal.lib.byte_sizes import ByteSizeField
from lsp_portal.lib.display import NOTHING, byte_size
from quotas.admin_series import series_page
from quotas.awards import BadAmount, BadMove, move, read_core_hours
from quotas.models import (
    AllocationPeriod,
    Award,
    Caps,
    ComputeQuota,
    Grant,
    HomeQuota,
    QuotaRequest,
    StorageQuota,
)

Quota = TypeVar("Quota", bound=ComputeQuota | StorageQuota)
OfPeriod = TypeVar("OfPeriod", bound=ComputeQuota | StorageQuota | Award)
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


class CapsInline(admin.StackedInline[Caps, Group]):
    model = Caps
    can_delete = False
    verbose_name_plural = "caps"
    fields = (("member_core_hours", "member_sessions"), ("sessions", "gpus"), "workers")


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
    change_list_template = "admin/quotas/allocationperiod/change_list.html"
    inlines = (NewComputeQuotaInline, NewStorageQuotaInline)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(partial(series_page, site=self.admin_site))
        return [path("series/", page, name="quotas_allocationperiod_series"), *super().get_urls()]

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


class OfPeriodAdmin(PortalAdmin[OfPeriod]):
    """What is given for a period; when it is over, it is history."""

    def has_delete_permission(self, request: HttpRequest, obj: OfPeriod | None = None) -> bool:
        over = obj is not None and obj.period.ends_at <= clock.now()
        return super().has_delete_permission(request, obj) and not over


class QuotaAdmin(OfPeriodAdmin[Quota]):
    """What groups are given."""

    list_filter: ClassVar[tuple[str, ...]] = ("period",)
    list_select_related = ("group", "period")
    search_fields = ("group__name", "group__title")
    search_help_text = "Name or title of the group"
    autocomplete_fields = ("group", "period")
    ordering = ("-period__starts_on", "group__name")


class GrantInline(admin.TabularInline[Grant, ComputeQuota]):
    """What was given on top or taken off; a grant is taken back by another, or by its end."""

    model = Grant
    fields = ("core_hours", "reason", "valid_from", "valid_to", "author", "counterpart_group")
    readonly_fields = ("author", "counterpart_group")
    extra = 0
    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        rows = super().get_queryset(request).select_related("author", "counterpart__quota__group")
        return rows.order_by("-valid_from", "-pk")

    @admin.display(description="moved to or from")
    def counterpart_group(self, grant: Grant) -> str:
        return str(grant.counterpart.quota.group) if grant.counterpart else NOTHING


class MoveForm(forms.Form):
    """How much of one group's quota goes to another."""

    to = forms.ModelChoiceField(ComputeQuota.objects.none(), label="To")
    core_hours = forms.CharField(label="Core-hours", max_length=30)
    reason = forms.CharField(max_length=300)

    def __init__(self, quota: ComputeQuota, *args: Any) -> None:
        super().__init__(*args)
        others = ComputeQuota.objects.filter(period=quota.period_id).exclude(pk=quota.pk)
        field = self.fields["to"]
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = others.select_related("group", "period").order_by("group__name")

    def clean_core_hours(self) -> Decimal:
        try:
            return read_core_hours(self.cleaned_data["core_hours"])
        except BadAmount as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(ComputeQuota)
class ComputeQuotaAdmin(QuotaAdmin[ComputeQuota]):
    list_display = ("group", "period", "core_hours", "limit", "mode")
    list_editable = ("core_hours", "mode")
    list_filter = ("period", "mode")
    inlines = (GrantInline,)
    actions = ("move_core_hours",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ComputeQuota]:
        return ComputeQuota.objects.with_limit(at=clock.now())

    @admin.display(description="with grants", ordering="limit")
    def limit(self, quota: ComputeQuota) -> str:
        return f"{quota.limit.normalize():,f}"

    def save_formset(
        self, request: HttpRequest, form: Any, formset: BaseInlineFormSet[Any, Any, Any],
        change: bool,
    ) -> None:  # fmt: skip
        for row in formset.save(commit=False):
            row.author = request.user
            row.save()
        formset.save_m2m()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A quota that has grants is history."""
        granted = obj is not None and obj.grants.exists()
        return super().has_delete_permission(request, obj) and not granted

    @admin.action(description="Move core-hours to another group", permissions=["change"])
    def move_core_hours(
        self, request: HttpRequest, queryset: QuerySet[ComputeQuota]
    ) -> HttpResponseBase | None:
        if queryset.count() != 1:
            self.message_user(request, "Choose one quota to take from.", messages.ERROR)
            return None
        quota = queryset.select_related("group", "period").get()
        form = MoveForm(quota, request.POST if "apply" in request.POST else None)
        if form.is_valid() and self._moved(request, quota, form):
            return None
        shown = {**self.admin_site.each_context(request), "form": form, "quota": quota,
                 "title": "Move core-hours", "opts": self.opts}  # fmt: skip
        return render(request, "admin/quotas/computequota/move.html", shown)

    def _moved(self, request: HttpRequest, quota: ComputeQuota, form: MoveForm) -> bool:
        author = cast(User, request.user)
        try:
            move(quota, **form.cleaned_data, author=author, at=clock.now())
        except BadMove as error:
            form.add_error("core_hours", str(error))
            return False
        hours, to = form.cleaned_data["core_hours"], form.cleaned_data["to"]
        self.message_user(
            request, f"Moved {hours.normalize():f} core-hours from {quota.group} to {to.group}."
        )
        return True


@admin.register(Award)
class AwardAdmin(OfPeriodAdmin[Award]):
    """What the service itself was given, in its parts."""

    list_display = ("period", "source", "core_hours")
    list_filter = ("period",)
    list_select_related = ("period",)
    search_fields = ("source",)
    autocomplete_fields = ("period",)
    ordering = ("-period__starts_on", "source")


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
    inlines = (
        *GroupAdmin.inlines,
        CapsInline,
        ComputeQuotaOfGroupInline,
        StorageQuotaOfGroupInline,
    )

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
    return Sub(quotas.with_limit(at=at).values("limit"))  # type: ignore[misc]  # annotated


@admin.register(HomeQuota)
class HomeQuotaAdmin(PortalAdmin[HomeQuota]):
    """Exceptions for the homes of people. One that is given is not edited: a newer one counts."""

    list_display = ("user", "limit", "reason", "author", "valid_from", "valid_to")
    list_select_related = ("user", "author")
    search_fields = ("user__username", "reason")
    autocomplete_fields = ("user",)
    fields = ("user", "limit_bytes", "reason", "valid_from", "valid_to")
    ordering = ("-pk",)
    formfield_overrides = BYTES

    def has_change_permission(self, request: HttpRequest, obj: HomeQuota | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: HomeQuota | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: HomeQuota, form: Any, change: bool) -> None:
        obj.author = cast(User, request.user)
        super().save_model(request, obj, form, change)

    @admin.display(description="limit", ordering="limit_bytes")
    def limit(self, quota: HomeQuota) -> str:
        return byte_size(quota.limit_bytes)


@admin.register(QuotaRequest)
class QuotaRequestAdmin(BigTableAdmin[QuotaRequest]):
    """What groups asked for, to read; who decides does so on the page of the request."""

    list_display = ("id", "asked_at", "group", "period", "words", "state", "asked_by")
    list_filter = ("state", "kind")
    list_select_related = ("group", "period", "asked_by")
    search_help_text = "Name of a group"
    fields = (
        "page", "group", "period", "kind", "words", "state", "reason", "asked_by", "asked_at",
        "offered_words", "decided_by", "decided_at", "answer", "closed_by", "closed_at",
        "the_grant", "known",
    )  # fmt: skip

    def found(self, term: str) -> Q:
        return Q(group__name=term)

    @admin.display(description="decide")
    def page(self, request: QuotaRequest) -> SafeString:
        address = reverse("quota_request", args=[request.group.name, request.pk])
        return format_html('<a href="{}">the page of the request</a>', address)

    @admin.display(description="grant")
    def the_grant(self, request: QuotaRequest) -> SafeString | str:
        return str(request.grant) if request.grant else NOTHING

    @admin.display(description="known when it was asked")
    def known(self, request: QuotaRequest) -> SafeString:
        return pretty_json(request.facts)
