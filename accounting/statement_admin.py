"""Statements, to read only, and the page that closes a period."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache

from accounting.models import Statement
from accounting.statements.closing import ClosingRefused, against, close_period
from accounts.models import User
from lsp_portal.lib import clock
from lsp_portal.lib.admin import EvidenceAdmin, object_link
from quotas.models import AllocationPeriod


@admin.register(Statement)
class StatementAdmin(EvidenceAdmin[Statement]):
    list_display = ("number", "title", "starts_on", "ends_on", "closed_at", "author")
    list_select_related = ("author",)
    search_fields = ("title", "hash")
    ordering = ("-number",)
    change_list_template = "admin/accounting/statement/change_list.html"
    fields = (
        "number", "title", ("starts_on", "ends_on"), "the_period", "closed_at", "author", "hash",
        "previous_hash",
    )  # fmt: skip

    @admin.display(description="allocation period")
    def the_period(self, statement: Statement) -> SafeString | str:
        return object_link(statement.period)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(never_cache(self.close_view))
        return [path("close/", view, name="accounting_statement_close"), *super().get_urls()]

    def close_view(self, request: HttpRequest) -> HttpResponse:
        """Show the next period to close and what stands against it; close it when asked."""
        if not request.user.has_perm("accounting.add_statement"):
            raise PermissionDenied
        now = clock.now()
        period = _unclosed().first()
        obstacles = against(period, at=now) if period else []
        if request.method == "POST" and period and request.POST.get("period") == str(period.pk):
            author = get_object_or_404(User, pk=request.user.pk)
            try:
                statement = close_period(period, author=author, at=now)
            except ClosingRefused as refusal:
                obstacles = refusal.obstacles
            else:
                self.message_user(request, f"{period} is closed.")
                return redirect("admin:accounting_statement_change", statement.pk)
        shown: dict[str, Any] = {**self.admin_site.each_context(request), "opts": self.opts}
        shown |= {"title": "Close a period", "period": period, "obstacles": obstacles}
        return render(request, "admin/accounting/statement/close.html", shown)


def _unclosed() -> QuerySet[AllocationPeriod]:
    return AllocationPeriod.objects.filter(statement=None).order_by("starts_on")
