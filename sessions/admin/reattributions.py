"""Requests that another group pays for a session; answered on their page, here to read only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from lsp_portal.lib.admin import BigTableAdmin, object_link
from lsp_portal.lib.display import NOTHING
from sessions.admin.search import HELP, sessions_found
from sessions.models import Reattribution, Session


@admin.register(Reattribution)
class ReattributionAdmin(BigTableAdmin[Reattribution]):
    list_display = ("id", "asked_at", "session", "from_group", "to_group", "state", "asked_by")
    list_filter = ("state",)
    list_select_related = ("session", "from_group", "to_group", "asked_by")
    search_help_text = HELP
    fields = (
        "page", "the_session", "from_group", "to_group", "state", "reason", "asked_by", "asked_at",
        "expires_at", "decided_by", "decided_at", "answer", "the_adjustment",
    )  # fmt: skip

    def found(self, term: str) -> Q:
        return Q(session__in=Session.objects.filter(sessions_found(term)))

    @admin.display(description="decide")
    def page(self, row: Reattribution) -> SafeString:
        address = reverse("reattribution", args=[row.pk])
        return format_html('<a href="{}">the page of the request</a>', address)

    @admin.display(description="session")
    def the_session(self, row: Reattribution) -> SafeString | str:
        return object_link(row.session)

    @admin.display(description="adjustment")
    def the_adjustment(self, row: Reattribution) -> SafeString | str:
        return object_link(row.adjustment) if row.adjustment else NOTHING
