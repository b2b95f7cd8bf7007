"""What hubs answered when they were asked, and what was repaired by it; to read only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from lsp_portal.lib.admin import BigTableAdmin, object_link, pretty_json
from lsp_portal.lib.display import NOTHING
from sessions.admin.search import HELP, sessions_found
from sessions.models import HubReading, Repair, Session

SHORT = 40


@admin.register(HubReading)
class HubReadingAdmin(BigTableAdmin[HubReading]):
    list_display = ("time", "hub", "listed", "running", "missing", "doubt", "is_taken")
    list_filter = ("hub", "doubt", "is_taken")
    list_select_related = ("hub",)
    search_fields = ()
    fields = ("hub", "time", "listed", "running", "missing", "doubt", "is_taken", "the_servers")

    @admin.display(description="servers, while it is not believed")
    def the_servers(self, reading: HubReading) -> SafeString | str:
        return NOTHING if reading.servers is None else pretty_json(reading.servers)


@admin.register(Repair)
class RepairAdmin(BigTableAdmin[Repair]):
    list_display = ("found_at", "hub", "kind", "server_of", "moment", "confidence")
    list_filter = ("hub", "kind", "confidence")
    list_select_related = ("hub",)
    search_help_text = HELP
    fields = (
        "hub", "kind", "the_session", "user_name", "server", "moment", "said", "changed",
        "confidence", "found_at",
    )  # fmt: skip

    def found(self, term: str) -> Q:
        return Q(session__in=Session.objects.filter(sessions_found(term)))

    @admin.display(description="server")
    def server_of(self, repair: Repair) -> str:
        return Truncator(f"{repair.user_name} {repair.server}".strip()).chars(SHORT)

    @admin.display(description="session")
    def the_session(self, repair: Repair) -> SafeString | str:
        return object_link(repair.session) if repair.session else NOTHING
