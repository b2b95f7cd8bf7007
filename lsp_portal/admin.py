"""The cards of the landing page, and what administrators did, in the administration."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import URLField
from django.http import HttpRequest
from django.utils.html import format_html

from lsp_portal.lib.admin import EvidenceAdmin, PortalAdmin
from lsp_portal.models import Service
from lsp_portal.privacy import admin as _people  # noqa: F401 - adds to the page of a person


@admin.register(Service)
class ServiceAdmin(PortalAdmin[Service]):
    list_display = ("title", "url", "status", "checked_at", "position", "is_shown")
    list_editable = ("position", "is_shown")
    list_filter = ("status", "is_shown")
    readonly_fields = ("status", "checked_at")
    search_fields = ("title", "text")
    formfield_overrides = {URLField: {"assume_scheme": "https"}}


@admin.register(LogEntry)
class LogEntryAdmin(EvidenceAdmin[LogEntry]):
    """What administrators changed here, and when."""

    list_display = ("action_time", "user", "content_type", "object", "get_change_message")
    list_filter = ("action_flag", "action_time")
    list_select_related = ("user", "content_type")
    search_fields = ("user__username", "object_repr")
    search_help_text = "Name of the administrator, or what was changed"
    ordering = ("-action_time", "-pk")
    fields = ("action_time", "user", "content_type", "object", "get_change_message")
    readonly_fields = ("get_change_message",)

    @admin.display(description="what")
    def object(self, entry: LogEntry) -> str:
        address = entry.get_admin_url()
        if entry.is_deletion() or not address:
            return str(entry.object_repr)
        return format_html('<a href="{}">{}</a>', address, entry.object_repr)

    def has_view_permission(self, request: HttpRequest, obj: LogEntry | None = None) -> bool:
        return request.user.is_active and getattr(request.user, "is_superuser", False)
