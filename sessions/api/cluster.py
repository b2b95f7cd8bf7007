"""The cluster for programs: nodes, what is free by size, and nodes that are emptied."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.api.idempotency import idempotent
from accounts.api.permissions import require
from accounts.api.serializers import NothingSerializer, Refusing
from accounts.api.views import Records, writes
from lsp_portal.lib import clock
from lsp_portal.lib.problems import Problem
from sessions import draining
from sessions.api import filters
from sessions.draining import DrainRefused
from sessions.models import ClusterNode, NodeDrain, SizeRoom

DRAIN = "hub_sessions.add_nodedrain"
NODE: dict[str, Any] = {
    "name": "node-1",
    "state": "open",
    "message": "",
    "cpu_millicores": 64000,
    "cpu_asked": 12500,
    "memory_mib": 262144,
    "memory_asked": 51200,
    "gpus": 0,
    "gpus_asked": 0,
    "servers": 7,
    "placeholders": 0,
    "seen_at": "2026-03-01T09:00:00Z",
}
DRAINED: dict[str, Any] = {
    "id": 3,
    "node": "node-1",
    "reason": "Its memory is replaced.",
    "asked_by": "dora",
    "started_at": "2026-03-01T09:00:00Z",
    "stops_at": "2026-03-02T09:00:00Z",
    "finished_at": None,
}


def _example(name: str, value: dict[str, Any]) -> Any:
    return extend_schema_serializer(examples=[OpenApiExample(name, value=value)])


@_example("a node", NODE)
class NodeSerializer(serializers.ModelSerializer[ClusterNode]):
    """A node as it was seen last; what is asked for is without placeholders."""

    class Meta:
        model = ClusterNode
        fields = tuple(NODE)
        read_only_fields = fields


@_example("room", {"size": "small", "free": 3, "seen_at": "2026-03-01T09:00:00Z"})
class SizeRoomSerializer(serializers.ModelSerializer[SizeRoom]):
    """How many servers of a size would have found a place when the cluster was seen last."""

    size: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = SizeRoom
        fields = ("size", "free", "seen_at")
        read_only_fields = fields


@_example("a node that is emptied", DRAINED)
class NodeDrainSerializer(serializers.ModelSerializer[NodeDrain]):
    """`asked_by` is null where the node was cordoned in the cluster."""

    asked_by: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = NodeDrain
        fields = tuple(DRAINED)
        read_only_fields = fields


@_example("empty a node", {"node": "node-1", "reason": "Its memory is replaced."})
class NewNodeDrainSerializer(Refusing):
    node = serializers.CharField(max_length=253)
    reason = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    stops_at = serializers.DateTimeField(
        required=False, default=None, allow_null=True,
        help_text="When servers that are left are stopped; null: never.",
    )  # fmt: skip


class NodeViewSet(Records):
    """The cluster's nodes, for administrators."""

    serializer_class = NodeSerializer
    filterset_class = filters.NodeFilter
    ordering_fields = ("name", "servers")
    ordering = ("name",)
    lookup_url_kwarg = "node"
    lookup_value_regex = "[a-z0-9.-]{1,253}"

    def visible(self) -> QuerySet[ClusterNode]:
        return ClusterNode.objects.all() if _is_staff(self) else ClusterNode.objects.none()


class SizeRoomViewSet(Records):
    """What is free by size, for everybody who may start servers."""

    serializer_class = SizeRoomSerializer
    filterset_class = filters.SizeRoomFilter
    ordering_fields = ("free",)
    ordering = ("size__position", "size__name")
    lookup_field = "size__name"
    lookup_url_kwarg = "size"
    lookup_value_regex = "[a-z0-9-]{1,30}"

    def visible(self) -> QuerySet[SizeRoom]:
        return SizeRoom.objects.select_related("size")


class NodeDrainViewSet(Records):
    """Nodes that are or were emptied, for administrators."""

    serializer_class = NodeDrainSerializer
    filterset_class = filters.NodeDrainFilter
    ordering_fields = ("started_at",)
    ordering = ("-started_at", "-pk")
    lookup_url_kwarg = "drain"
    lookup_value_regex = "[0-9]{1,18}"

    def visible(self) -> QuerySet[NodeDrain]:
        rows = NodeDrain.objects.select_related("asked_by")
        return rows if _is_staff(self) else rows.none()

    @writes(NewNodeDrainSerializer, NodeDrainSerializer, 201)
    @idempotent
    def create(self, request: Any) -> Response:
        """Begin to empty a node: its people are told, and nothing new is placed there."""
        require(request, DRAIN)
        values, at = self.checked(NewNodeDrainSerializer), clock.now()
        node = ClusterNode.objects.filter(name=values.pop("node")).first()
        if node is None:
            raise Http404("No such node was seen.")
        try:
            made = draining.drain(node, by=request.user, at=at, **values)
        except DrainRefused as refusal:
            raise Problem(
                refusal.status, refusal.code, "This is not possible", str(refusal)
            ) from refusal
        return Response(self.get_serializer(made).data, status.HTTP_201_CREATED)

    @writes(NothingSerializer, NodeDrainSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def finish(self, request: Any, drain: str) -> Response:
        """Let servers be placed on the node again. Of a cordoned node the cluster decides."""
        require(request, DRAIN)
        self.checked(NothingSerializer)
        row = self.get_object()
        if row.asked_by is None:
            raise Problem(
                409, "cordoned", "This is not possible",
                f"{row.node} was cordoned in the cluster: kubectl uncordon {row.node}.",
            )  # fmt: skip
        draining.resume(row, at=clock.now())
        row.refresh_from_db()
        return Response(self.get_serializer(row).data)


def _is_staff(view: Records) -> bool:
    return bool(getattr(view.request.user, "is_staff", False))
