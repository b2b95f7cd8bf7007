"""What was exported for APEL, to read only, and the names of groups there."""

from __future__ import annotations

from django.contrib import admin

from accounting.models import ApelGroup, ApelRun
from lsp_portal.lib.admin import EvidenceAdmin, PortalAdmin


@admin.register(ApelRun)
class ApelRunAdmin(EvidenceAdmin[ApelRun]):
    list_display = ("started_at", "hub", "until", "state", "records", "directory")
    list_filter = ("hub", "state")
    list_select_related = ("hub",)
    search_fields = ("directory",)
    ordering = ("-started_at", "-pk")


@admin.register(ApelGroup)
class ApelGroupAdmin(PortalAdmin[ApelGroup]):
    list_display = ("group", "fqan")
    list_select_related = ("group",)
    search_fields = ("group__name", "fqan")
    autocomplete_fields = ("group",)
    ordering = ("group__name",)
