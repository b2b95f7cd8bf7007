"""Rules from claims to memberships, and removals that wait for a decision."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from accounts.claims.removals import AlreadyDecidedError, keep_held, remove_held
from accounts.models import ClaimRule, HeldSync, Membership, User
from lsp_portal.lib import clock
from lsp_portal.lib.admin import EvidenceAdmin, PortalAdmin


@admin.register(ClaimRule)
class ClaimRuleAdmin(PortalAdmin[ClaimRule]):
    """Who has which claim is what in which group. A rule that was used is switched off."""

    list_display = (
        "value", "kind", "claim_role", "provider", "group", "role", "active", "members",
    )  # fmt: skip
    list_filter = ("kind", "active", "provider", "role")
    list_select_related = ("group",)
    search_fields = ("value", "group__name", "group__title")
    search_help_text = "Value of the claim, or name or title of the group"
    autocomplete_fields = ("group",)
    ordering = ("group__name", "kind", "value")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ClaimRule]:
        following = Membership.objects.valid(at=clock.now()).filter(rule=OuterRef("pk")).order_by()
        number = following.values("rule").annotate(number=Count("pk")).values("number")
        return super().get_queryset(request).annotate(_members=Subquery(number))

    def has_delete_permission(self, request: HttpRequest, obj: ClaimRule | None = None) -> bool:
        used = obj is None or obj.memberships.exists()
        return super().has_delete_permission(request, obj) and not used

    @admin.display(description="members by it", ordering="_members")
    def members(self, rule: ClaimRule) -> int:
        return getattr(rule, "_members") or 0  # noqa: B009 - annotated


@admin.register(HeldSync)
class HeldSyncAdmin(EvidenceAdmin[HeldSync]):
    """Removals that a sync did not dare. Choose the group and decide."""

    list_display = ("group", "people", "found_at", "decision", "decided_by", "decided_at")
    list_filter = ("decision", "found_at")
    list_select_related = ("group", "decided_by")
    search_fields = ("group__name", "group__title")
    ordering = ("-pk",)
    actions = ("remove", "keep")
    fields = ("group", "found_at", "decision", "decided_by", "decided_at", "who")
    readonly_fields = ("who",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[HeldSync]:
        return super().get_queryset(request).annotate(_people=Count("memberships"))

    @admin.display(description="people", ordering="_people")
    def people(self, held: HeldSync) -> int:
        number: int = getattr(held, "_people")  # noqa: B009 - annotated
        return number

    @admin.display(description="people")
    def who(self, held: HeldSync) -> str:
        names = held.memberships.order_by("user__username").values_list("user__username", flat=True)
        return ", ".join(names)

    @admin.action(description="Remove these people from the group", permissions=["decide"])
    def remove(self, request: HttpRequest, queryset: QuerySet[HeldSync]) -> None:
        self._decide(request, queryset, remove_held, "Removed {} people from {}.")

    @admin.action(description="Keep these people, as members by hand", permissions=["decide"])
    def keep(self, request: HttpRequest, queryset: QuerySet[HeldSync]) -> None:
        self._decide(request, queryset, keep_held, "Kept {} people in {}.")

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_heldsync")

    def _decide(
        self, request: HttpRequest, queryset: QuerySet[HeldSync], decide: Any, words: str
    ) -> None:
        for held in queryset.select_related("group"):
            try:
                number = decide(held, by=cast(User, request.user), at=clock.now())
            except AlreadyDecidedError:
                self.message_user(request, f"{held.group} was decided already.", messages.WARNING)
            else:
                self.message_user(request, words.format(number, held.group))
