"""What is known of people's institutions, on their list and on their pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from accounts.affiliations import ask_to_confirm
from accounts.models import Affiliation, User
from lsp_portal.lib import clock
from lsp_portal.lib.admin import EvidenceInline, note_changes


class AffiliationFilter(admin.SimpleListFilter):
    title = "affiliation"
    parameter_name = "affiliation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        days = [(str(n), f"not confirmed for {n} days") for n in (30, 90, 180, 365)]
        return [("none", "none known"), *days]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        known, value = Affiliation.objects.filter(user=OuterRef("pk")), self.value()
        if value == "none":
            return queryset.filter(~Exists(known))
        if value in ("30", "90", "180", "365"):
            since = clock.now() - timedelta(days=int(value))
            return queryset.filter(Exists(known), ~Exists(known.confirmed_since(since)))
        return queryset


class AffiliationInline(EvidenceInline[Affiliation, User]):
    model = Affiliation
    fields = ("value", "organisation", "claim", "issuer", "first_seen_at", "last_seen_at")
    readonly_fields = fields
    ordering = ("-last_seen_at",)
    show_change_link = False


class ShowsAffiliations(admin.ModelAdmin[User]):
    """Adds what is known of the institution to the list of people."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        newest = Affiliation.objects.filter(user=OuterRef("pk")).order_by("-last_seen_at")
        return super().get_queryset(request).annotate(
            _organisation=Subquery(newest.values("organisation")[:1]),
            _confirmed_at=Subquery(newest.values("last_seen_at")[:1]),
        )  # fmt: skip

    @admin.display(ordering="_organisation")
    def organisation(self, person: User) -> str:
        return getattr(person, "_organisation") or ""  # noqa: B009 - annotated

    @admin.display(description="confirmed", ordering="_confirmed_at")
    def confirmed(self, person: User) -> datetime | None:
        confirmed_at: datetime | None = getattr(person, "_confirmed_at")  # noqa: B009 - annotated
        return confirmed_at

    @admin.action(description="Ask to confirm the affiliation", permissions=["change"])
    def ask_to_confirm(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        found = ask_to_confirm(list(queryset), at=clock.now())
        note_changes(request, found, "Asked to confirm the affiliation.")
        self.message_user(request, f"Asked {len(found)} people, who see it on their next page.")
