"""By what lists of measured storage can be narrowed."""

from __future__ import annotations

from django_filters import rest_framework as filters

from sessions.models import StorageSample


class StorageSampleFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    user = filters.CharFilter(field_name="user__username", max_length=30)
    group = filters.CharFilter(field_name="group__name", max_length=30)
    mount = filters.CharFilter(max_length=120)
    taken_from = filters.IsoDateTimeFilter(field_name="taken_at", lookup_expr="gte")
    taken_before = filters.IsoDateTimeFilter(field_name="taken_at", lookup_expr="lt")

    class Meta:
        model = StorageSample
        fields = ("source",)
