"""Webhooks, and what became of their messages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounting.models import Webhook, WebhookMessage
from accounting.webhooks.models import Kind
from accounting.webhooks.posting import body, post_again, secret_of
from lsp_portal.lib import clock
from lsp_portal.lib.admin import BigTableAdmin, PortalAdmin, list_link, note_changes


class WebhookForm(forms.ModelForm[Webhook]):
    kinds = forms.MultipleChoiceField(
        choices=Kind.choices, widget=forms.CheckboxSelectMultiple, initial=Kind.values
    )


@admin.register(Webhook)
class WebhookAdmin(PortalAdmin[Webhook]):
    """Addresses that are told; each has a secret with which its receiver verifies messages."""

    form = WebhookForm
    list_display = ("title", "url", "group", "is_active")
    list_select_related = ("group",)
    search_fields = ("title", "url")
    autocomplete_fields = ("group",)
    ordering = ("title",)
    readonly_fields = ("secret", "its_messages")
    fields = ("title", "url", "kinds", "group", "is_active", "secret", "its_messages")

    def get_fields(self, request: HttpRequest, obj: Webhook | None = None) -> Any:
        return self.fields if obj else self.fields[:5]

    @admin.display(description="secret")
    def secret(self, webhook: Webhook) -> SafeString:
        return format_html(
            "<code>{}</code><br>The receiver verifies the header <code>webhook-signature</code> "
            "with it, by the rules of Standard Webhooks.",
            secret_of(webhook),
        )

    @admin.display(description="messages")
    def its_messages(self, webhook: Webhook) -> SafeString:
        return list_link(WebhookMessage, "its messages", webhook__id__exact=webhook.pk)


@admin.register(WebhookMessage)
class WebhookMessageAdmin(BigTableAdmin[WebhookMessage]):
    list_display = ("__str__", "webhook", "state", "attempts", "created_at", "sent_at", "answer")
    list_filter = ("state", "webhook")
    list_select_related = ("webhook",)
    search_help_text = "What it is about, such as transients/2026-05-01"
    actions = ("post_again",)
    fields = (
        "webhook", "kind", "key", "text", "state", "attempts", "created_at", "due_at", "sent_at",
        "answer",
    )  # fmt: skip

    def found(self, term: str) -> Q:
        return Q(key=term)

    @admin.display(description="message")
    def text(self, message: WebhookMessage) -> SafeString:
        return format_html("<pre>{}</pre>", body(message).decode())

    def has_post_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounting.change_webhookmessage")

    @admin.action(description="Post again what was given up", permissions=["post_again"])
    def post_again(self, request: HttpRequest, queryset: QuerySet[WebhookMessage]) -> None:
        rows = list(queryset)
        number = post_again(rows, at=clock.now())
        note_changes(request, rows, "Posted again.")
        self.message_user(request, f"{number} messages wait to be posted again.")
