"""The trail of changes in the administration: to read, and to come to from each object."""

from __future__ import annotations

# Registers what is taken back here.
import auditlog.admin  # noqa: F401
from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString

from accounts.history import entry, who
from accounts.models import Change
from lsp_portal.lib.admin import BigTableAdmin, object_link, pretty_json

admin.site.unregister(Change)


@admin.register(Change)
class ChangeAdmin(BigTableAdmin[Change]):
    """Who changed what and when."""

    list_display = ("timestamp", "who", "what", "group")
    list_display_links = ("timestamp",)
    list_filter = ("action", ("content_type", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("actor", "content_type", "group")
    search_help_text = "The name of an actor or a group, or the id of an object"
    fields = (
        "timestamp", "who", "remote_addr", "what", "object_repr", "seen_group", "raw",
    )  # fmt: skip

    def found(self, term: str) -> Q:
        return Q(actor__username=term) | Q(group__name=term) | Q(object_pk=term)

    @admin.display
    def who(self, change: Change) -> str:
        return who(change)

    @admin.display
    def what(self, change: Change) -> str:
        said = entry(change)
        return "; ".join((said.what, *said.details))

    @admin.display(description="group")
    def seen_group(self, change: Change) -> SafeString | str:
        return object_link(change.group)

    @admin.display(description="changes")
    def raw(self, change: Change) -> SafeString:
        return pretty_json(change.changes)
