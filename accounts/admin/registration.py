"""Versions of the policy, decisions about people, and invitations."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from accounts.models import Invitation, Policy, PolicyAcceptance, Registration
from lsp_portal.lib.admin import EvidenceAdmin, KeptAdmin


@admin.register(Policy)
class PolicyAdmin(KeptAdmin[Policy]):
    """Versions are written here; one that somebody accepted stays as it is."""

    list_display = ("version", "effective_at")
    search_fields = ("version",)
    ordering = ("-effective_at",)
    fields = ("version", "effective_at", "text")

    def has_change_permission(self, request: HttpRequest, obj: Policy | None = None) -> bool:
        is_free = obj is None or not obj.acceptances.exists()
        return is_free and super().has_change_permission(request, obj)


@admin.register(PolicyAcceptance)
class PolicyAcceptanceAdmin(EvidenceAdmin[PolicyAcceptance]):
    list_display = ("user", "policy", "accepted_at")
    list_filter = ("policy",)
    list_select_related = ("user", "policy")
    search_fields = ("user__username",)
    ordering = ("-pk",)


@admin.register(Registration)
class RegistrationAdmin(EvidenceAdmin[Registration]):
    """Decisions about people, with the evidence of then."""

    list_display = ("user", "decision", "decided_by", "sponsor", "decided_at")
    list_filter = ("decision", "decided_at")
    list_select_related = ("user", "decided_by", "sponsor")
    search_fields = ("user__username", "reason")
    ordering = ("-pk",)


@admin.register(Invitation)
class InvitationAdmin(EvidenceAdmin[Invitation]):
    """Who was invited by whom; invitations are made on the pages of groups."""

    list_display = (
        "email", "group", "role", "invited_by", "created_at", "expires_at", "accepted_by",
        "revoked_at",
    )  # fmt: skip
    list_filter = ("role", "created_at")
    list_select_related = ("group", "invited_by", "accepted_by")
    search_fields = ("email", "group__name")
    ordering = ("-pk",)
