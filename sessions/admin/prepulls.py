"""Which images are on which nodes."""

from __future__ import annotations

from django.contrib import admin

from lsp_portal.lib.admin import EvidenceAdmin
from sessions.models import NodeImage


@admin.register(NodeImage)
class NodeImageAdmin(EvidenceAdmin[NodeImage]):
    """As the cluster was seen last."""

    list_display = ("reference", "node", "state", "message", "since")
    list_filter = ("state",)
    search_fields = ("reference", "node")
    ordering = ("reference", "node")
