"""By what lists can be narrowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError
from rest_framework.filters import OrderingFilter

from accounts.models import Group, Invitation, Membership, User
from lsp_portal.lib import clock


class UserFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    group = filters.CharFilter(
        method="in_group", label="Name of a group", max_length=30,
        help_text="Present members of that group.",
    )  # fmt: skip
    email = filters.CharFilter(lookup_expr="iexact", max_length=254)
    search = filters.CharFilter(
        method="found", label="Search", max_length=100, help_text="A part of the name."
    )

    class Meta:
        model = User
        fields = ("is_active", "kind")

    def in_group(self, rows: QuerySet[User], name: str, value: str) -> QuerySet[User]:
        members = Membership.objects.valid(at=clock.now()).filter(group__name=value)
        return rows.filter(pk__in=members.values("user"))

    def found(self, rows: QuerySet[User], name: str, value: str) -> QuerySet[User]:
        names = ("username", "first_name", "last_name")
        condition = Q()
        for field in names:
            condition |= Q(**{f"{field}__icontains": value})
        return rows.filter(condition)


class GroupFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    parent = filters.CharFilter(field_name="parent__name", max_length=30)
    search = filters.CharFilter(
        method="found", label="Search", max_length=100, help_text="A part of name or title."
    )

    class Meta:
        model = Group
        fields = ("kind",)

    def found(self, rows: QuerySet[Group], name: str, value: str) -> QuerySet[Group]:
        return rows.filter(Q(name__icontains=value) | Q(title__icontains=value))


class MembershipFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    user = filters.CharFilter(field_name="user__username", max_length=30)
    group = filters.CharFilter(field_name="group__name", max_length=30)
    at = filters.IsoDateTimeFilter(
        method="in_force", label="Moment", help_text="In force at that moment."
    )

    class Meta:
        model = Membership
        fields = ("role", "synced")

    def in_force(self, rows: Any, name: str, value: Any) -> Any:
        return rows.filter(pk__in=Membership.objects.valid(at=value).values("pk"))


class InvitationFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    group = filters.CharFilter(field_name="group__name", max_length=30)
    email = filters.CharFilter(lookup_expr="iexact", max_length=254)
    open = filters.BooleanFilter(
        method="is_open", label="Open", help_text="Whether it can be accepted now."
    )

    class Meta:
        model = Invitation
        fields = ("role",)

    def is_open(self, rows: Any, name: str, value: bool) -> Any:
        still = Invitation.objects.open(at=clock.now()).values("pk")
        return rows.filter(pk__in=still) if value else rows.exclude(pk__in=still)


PAGING = {"limit", "offset", "ordering"}


def refuse_unknown(asked: Mapping[str, Any], view: Any) -> None:
    """Raises ValidationError for a parameter that would narrow nothing."""
    known = PAGING | set(view.filterset_class.base_filters)
    unknown = {name: ["There is no such parameter."] for name in asked if name not in known}
    if unknown:
        raise ValidationError(unknown)


class Ordering(OrderingFilter):
    """`?ordering=name,-created_at`; refuses other fields, and never leaves the order open."""

    def remove_invalid_fields(self, queryset: Any, fields: Any, view: Any, request: Any) -> Any:
        valid = [name for name, _ in self.get_valid_fields(queryset, view, {"request": request})]
        for field in fields:
            if field.lstrip("-") not in valid:
                allowed = ", ".join(valid)
                raise ValidationError({"ordering": [f"Order by {allowed}, not “{field}”."]})
        return fields

    def get_ordering(self, request: Any, queryset: Any, view: Any) -> Any:
        return [*(super().get_ordering(request, queryset, view) or ()), "pk"]
