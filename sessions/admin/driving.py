"""Servers that the portal runs, and what it knows of the cluster: to look at, not to edit."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from lsp_portal.lib.admin import EvidenceAdmin
from sessions.models import ClusterNode, ClusterWatch, NodeDrain, Server, ServerStep, SizeRoom


@admin.register(Server)
class ServerAdmin(EvidenceAdmin[Server]):
    """What is wanted of each and how far it is; its environment is not shown."""

    list_display = ("session", "person", "state", "desired", "node", "asked_at", "ready_at")
    list_filter = ("state", "desired", "session__hub")
    search_fields = ("name", "pod_uid", "node", "session__user_name")
    ordering = ("-pk",)
    list_select_related = ("session__hub",)
    fields = (
        "session", "person", "state", "desired", "command", "port", "namespace", "name", "pod_uid",
        "node", "address", "asked_at", "deadline_at", "ready_at", "stop_asked_at", "ended_at",
        "exit_code", "cleaned_at", "failure_code", "failure_message", "claimed_until",
        "changed_at",
    )  # fmt: skip

    @admin.display(description="name at the hub", ordering="session__user_name")
    def person(self, server: Server) -> str:
        return server.session.user_name


@admin.register(ServerStep)
class ServerStepAdmin(EvidenceAdmin[ServerStep]):
    """What people were told on the way."""

    list_display = ("server", "seq", "at", "code", "message")
    list_filter = ("code",)
    search_fields = ("code", "server__name", "server__session__user_name")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServerStep]:
        return super().get_queryset(request).select_related("server__session")


@admin.register(ClusterWatch)
class ClusterWatchAdmin(EvidenceAdmin[ClusterWatch]):
    """When each list of objects in the cluster was heard last, and why it is not heard now."""

    list_display = ("source", "listed_at", "heard_at", "listed", "doubted_at", "trouble")
    search_fields = ("source", "trouble")
    ordering = ("source",)


@admin.register(ClusterNode)
class ClusterNodeAdmin(EvidenceAdmin[ClusterNode]):
    """As the cluster was seen last."""

    list_display = ("name", "state", "servers", "cpu_millicores", "cpu_asked", "seen_at")
    list_filter = ("state",)
    search_fields = ("name", "message")
    ordering = ("name",)


@admin.register(SizeRoom)
class SizeRoomAdmin(EvidenceAdmin[SizeRoom]):
    """As the cluster was seen last."""

    list_display = ("size", "free", "seen_at")
    search_fields = ("size__name", "size__title")
    ordering = ("size__position", "size__name")
    list_select_related = ("size",)


@admin.register(NodeDrain)
class NodeDrainAdmin(EvidenceAdmin[NodeDrain]):
    """Begun and called off on the page of the cluster."""

    list_display = ("node", "reason", "asked_by", "started_at", "stops_at", "finished_at")
    list_filter = ("finished_at",)
    search_fields = ("node", "reason", "asked_by__username")
    ordering = ("-started_at", "-pk")
    list_select_related = ("asked_by",)
