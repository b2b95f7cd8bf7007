"""Where the homes of people are in the cluster."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from lsp_portal.lib.admin import PortalAdmin
from lsp_portal.lib.display import NOTHING, byte_size
from sessions.models import Home


@admin.register(Home)
class HomeAdmin(PortalAdmin[Home]):
    """Written at the first launch; a row that is made here names a home that is there already.

    Whose it is never changes: remove the row, and the next launch makes another home.
    """

    list_display = ("user", "namespace", "claim", "directory", "size", "created_at")
    list_select_related = ("user",)
    list_filter = ("namespace",)
    search_fields = ("user__username", "claim", "directory")
    ordering = ("user__username",)
    autocomplete_fields = ("user",)
    fields = ("user", "namespace", "claim", "directory", "size_bytes")

    def get_readonly_fields(self, request: HttpRequest, obj: Home | None = None) -> tuple[str, ...]:
        return ("user",) if obj else ()

    @admin.display(ordering="size_bytes")
    def size(self, home: Home) -> str:
        return byte_size(home.size_bytes) if home.size_bytes else NOTHING
