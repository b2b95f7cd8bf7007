"""By what the lists can be narrowed."""

from __future__ import annotations

from typing import Any

from django_filters import rest_framework as filters

from lsp_portal.lib import clock
from sessions.models import ClusterNode, NodeDrain, Reattribution, SizeRoom


class ReattributionFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    session = filters.NumberFilter(field_name="session_id", min_value=1, max_value=2**63 - 1)
    from_group = filters.CharFilter(field_name="from_group__name", max_length=30)
    to_group = filters.CharFilter(field_name="to_group__name", max_length=30)
    waiting = filters.BooleanFilter(
        method="that_wait", label="Waiting", help_text="Those about which the caller decides as PI."
    )

    class Meta:
        model = Reattribution
        fields = ("state",)

    def that_wait(self, rows: Any, name: str, value: bool) -> Any:
        waiting = Reattribution.objects.waiting_for(self.request.user, at=clock.now()).values("pk")
        return rows.filter(pk__in=waiting) if value else rows.exclude(pk__in=waiting)


class NodeFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    class Meta:
        model = ClusterNode
        fields = ("state",)


class NodeDrainFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    node = filters.CharFilter(max_length=253)
    is_open = filters.BooleanFilter(
        field_name="finished_at", lookup_expr="isnull", label="Open",
        help_text="Those of nodes that are being emptied.",
    )  # fmt: skip

    class Meta:
        model = NodeDrain
        fields = ("node",)


class SizeRoomFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    class Meta:
        model = SizeRoom
        fields = ()
