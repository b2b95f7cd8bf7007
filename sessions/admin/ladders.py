"""How far quotas have climbed the ladder of enforcement; to read only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q

from lsp_portal.lib.admin import BigTableAdmin
from lsp_portal.lib.display import core_hours
from sessions.models import LadderStep, QuotaLadder


class OfQuota:
    """Columns of what is told about a quota."""

    @admin.display(description="limit, core-hours")
    def limit_hours(self, row: QuotaLadder | LadderStep) -> str:
        return core_hours(row.limit)


@admin.register(QuotaLadder)
class QuotaLadderAdmin(OfQuota, BigTableAdmin[QuotaLadder]):
    list_display = ("quota", "step", "limit_hours", "generation", "exhausted_at", "grace_until")
    list_filter = ("step",)
    list_select_related = ("quota__group", "quota__period")
    search_help_text = "Name of a group"
    fields = ("quota", "step", "limit_hours", "generation", "exhausted_at", "grace_until")

    def found(self, term: str) -> Q:
        return Q(quota__group__name=term)


@admin.register(LadderStep)
class LadderStepAdmin(OfQuota, BigTableAdmin[LadderStep]):
    list_display = ("id", "reached_at", "quota", "step", "used_hours", "limit_hours", "granted_by")
    list_filter = ("step",)
    list_select_related = ("quota__group", "quota__period", "granted_by")
    search_help_text = "Name of a group"
    fields = (
        "quota", "step", "reached_at", "used_hours", "limit_hours", "generation", "was_passed",
        "granted_by",
    )  # fmt: skip

    def found(self, term: str) -> Q:
        return Q(quota__group__name=term)

    @admin.display(description="used, core-hours")
    def used_hours(self, row: LadderStep) -> str:
        return core_hours(row.used)
