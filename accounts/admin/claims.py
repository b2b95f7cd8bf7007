"""Rules from claims to memberships, and removals that wait for a decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.claims.removals import AlreadyDecidedError, keep_held, remove_held
from accounts.models import ClaimRule, HeldSync, Membership, User
from lsp_portal.lib import clock
from lsp_portal.lib.admin import EvidenceAdmin, PortalAdmin, second_question


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


@dataclass(frozen=True)
class Way:
    """One of the two ways to decide, in words."""

    action: str
    title: str
    question: str
    done: str
    decide: Callable[..., int]


REMOVE = Way(
    "remove", "Remove people", "These people lose their membership of {} now: {}.",
    "Removed {} people from {}.", remove_held,
)  # fmt: skip
KEEP = Way(
    "keep", "Keep people",
    "These people stay in {}, as members by hand, whatever their provider says: {}.",
    "Kept {} people in {}.", keep_held,
)  # fmt: skip


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
        return ", ".join(_names(held))

    @admin.action(description="Remove these people from the group", permissions=["decide"])
    def remove(self, request: HttpRequest, queryset: QuerySet[HeldSync]) -> HttpResponseBase | None:
        return self._decide(request, queryset, REMOVE)

    @admin.action(description="Keep these people, as members by hand", permissions=["decide"])
    def keep(self, request: HttpRequest, queryset: QuerySet[HeldSync]) -> HttpResponseBase | None:
        return self._decide(request, queryset, KEEP)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_heldsync")

    def _decide(
        self, request: HttpRequest, queryset: QuerySet[HeldSync], way: Way
    ) -> HttpResponseBase | None:
        chosen = list(queryset.select_related("group"))
        question = second_question(
            self, request, action=way.action, title=way.title, rows=_questions(chosen, way)
        )
        if question is None:
            for held in chosen:
                self._decide_one(request, held, way)
        return question

    def _decide_one(self, request: HttpRequest, held: HeldSync, way: Way) -> None:
        try:
            number = way.decide(held, by=cast(User, request.user), at=clock.now())
        except AlreadyDecidedError:
            self.message_user(request, f"{held.group} was decided already.", messages.WARNING)
        else:
            self.message_user(request, way.done.format(number, held.group))


def _questions(chosen: list[HeldSync], way: Way) -> list[tuple[HeldSync, str]]:
    return [
        (held, way.question.format(held.group.title, ", ".join(_names(held)))) for held in chosen
    ]


def _names(held: HeldSync) -> list[str]:
    people = held.memberships.order_by("user__username")
    return list(people.values_list("user__username", flat=True))
