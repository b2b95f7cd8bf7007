"""What people were told: the log of the mails, and sending again what failed."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.models import Digest, Notice
from accounts.notices.again import send_digests_again, send_notices_again
from lsp_portal.lib import clock
from lsp_portal.lib.admin import BigTableAdmin, note_changes


@admin.register(Notice)
class NoticeAdmin(BigTableAdmin[Notice]):
    """What everybody was told, and what became of the mail."""

    list_display = (
        "created_at", "recipient", "topic", "subject", "state", "due_at", "sent_at", "attempts",
        "in_digest",
    )  # fmt: skip
    list_filter = ("topic", "state")
    list_select_related = ("recipient",)
    search_help_text = "The user name of a person"
    actions = ("send_again",)

    def found(self, term: str) -> Q:
        return Q(recipient__username=term)

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_notice")

    @admin.action(description="Send again what failed", permissions=["send_again"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notice]) -> None:
        rows = list(queryset)
        number = send_notices_again(queryset, at=clock.now())
        note_changes(request, rows, "Sent again.")
        self.message_user(request, f"{number} mails are on their way again.")


@admin.register(Digest)
class DigestAdmin(BigTableAdmin[Digest]):
    """The daily mails."""

    list_display = ("day", "recipient", "state", "due_at", "sent_at", "attempts")
    list_filter = ("state",)
    list_select_related = ("recipient",)
    search_help_text = "The user name of a person"
    actions = ("send_again",)

    def found(self, term: str) -> Q:
        return Q(recipient__username=term)

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_notice")

    @admin.action(description="Send again what failed", permissions=["send_again"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Digest]) -> None:
        rows = list(queryset)
        number = send_digests_again(queryset, at=clock.now())
        note_changes(request, rows, "Sent again.")
        self.message_user(request, f"{number} mails are on their way again.")
