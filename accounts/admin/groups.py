"""Groups and memberships."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest

from accounts.admin.memberships import MembershipForm, MembersInline
from accounts.admin.numbers import NumberedForm
from accounts.administration import (
    close_groups,
    end_memberships,
    ensure_never_used,
    reopen_groups,
)
from accounts.models import Group, Membership
from accounts.records import ensure_no_ring
from lsp_portal.lib import clock
from lsp_portal.lib.admin import KeptAdmin, list_link, note_changes


class GroupForm(NumberedForm):
    number_field, kind = "gid", "group"

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        ensure_never_used(name)
        return name

    def clean_parent(self) -> Group | None:
        parent: Group | None = self.cleaned_data["parent"]
        if self.instance.pk is not None:
            ensure_no_ring(self.instance, parent)
        return parent


class ClosedFilter(admin.SimpleListFilter):
    title = "charging"
    parameter_name = "closed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "open"), ("yes", "closed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> QuerySet[Group]:
        closed = Q(closed_at__lte=clock.now())
        if self.value() == "yes":
            return queryset.filter(closed)
        return queryset.exclude(closed) if self.value() == "no" else queryset


@admin.register(Group)
class GroupAdmin(KeptAdmin[Group]):
    """Science campaigns. Apps above add what they know about a group."""

    form = GroupForm
    list_display: tuple[str, ...] = (
        "name", "title", "kind", "parent", "members", "created_at", "closed_at",
    )  # fmt: skip
    list_filter = (ClosedFilter, "kind", ("parent", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("parent",)
    autocomplete_fields = ("parent",)
    search_fields = ("name", "title")
    search_help_text = "Name or title"
    inlines: ClassVar[tuple[type[InlineModelAdmin[Any, Any]], ...]] = (MembersInline,)
    actions = ("close", "reopen")
    fields = (
        "name", "title", "kind", "parent", "description", "opens_at", "closed_at", "gid",
        "created_at",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> list[str]:
        return ["gid", "created_at", "links", *(["name"] if obj else [])]

    def get_fields(self, request: HttpRequest, obj: Group | None = None) -> tuple[str, ...]:
        return (*self.fields, "links") if obj else (*self.fields[:-2], "number")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).annotate(_members=_members(clock.now()))

    @admin.display(ordering="_members")
    def members(self, group: Group) -> int:
        """How many people are in the group now."""
        return getattr(group, "_members") or 0  # noqa: B009 - annotated

    @admin.display(description="see also")
    def links(self, group: Group) -> str:
        return list_link(Membership, "memberships", group__id__exact=group.pk)

    @admin.action(description="Close: charge nothing new from now on", permissions=["change"])
    def close(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        found = close_groups(queryset, at=clock.now())
        note_changes(request, found, "Closed.")
        self.message_user(request, f"Closed {len(found)} groups.")

    @admin.action(description="Reopen", permissions=["change"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        found = reopen_groups(queryset)
        note_changes(request, found, "Reopened.")
        self.message_user(request, f"Reopened {len(found)} groups.")


def _members(at: datetime) -> Subquery:
    valid = Membership.objects.valid(at=at).filter(group=OuterRef("pk")).order_by()
    return Subquery(valid.values("group").annotate(number=Count("pk")).values("number"))


class InForceFilter(admin.SimpleListFilter):
    title = "validity"
    parameter_name = "validity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("now", "in force"), ("past", "ended"), ("future", "not begun")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Membership]
    ) -> QuerySet[Membership]:
        now = clock.now()
        in_force = Membership.objects.valid(at=now)
        conditions = {
            "now": Q(pk__in=in_force),
            "past": Q(valid_to__lte=now),
            "future": Q(valid_from__gt=now),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(Membership)
class MembershipAdmin(KeptAdmin[Membership]):
    """Who is and was what in which group: begun and ended, never deleted."""

    form = MembershipForm
    list_display = ("user", "group", "role", "valid_from", "valid_to", "in_force")
    list_display_links = ("user",)
    list_filter = (InForceFilter, "role", "valid_from")
    list_select_related = ("user", "group")
    search_fields = ("user__username", "user__last_name", "group__name", "group__title")
    search_help_text = "Names of people and groups"
    autocomplete_fields = ("user", "group")
    ordering = ("-pk",)
    actions = ("end_now",)

    @admin.display(boolean=True)
    def in_force(self, membership: Membership) -> bool:
        return membership.is_valid(at=clock.now())

    @admin.action(description="End now", permissions=["change"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        found = end_memberships(queryset, at=clock.now())
        note_changes(request, found, "Ended.")
        self.message_user(request, f"Ended {len(found)} memberships.")
