"""Tokens for the API: made for services here, revoked here, never shown again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.models import ApiToken, User
from accounts.tokens import DEFAULT_DAYS, MOST_DAYS, issue_token, revoke_token
from lsp_portal.lib import clock
from lsp_portal.lib.admin import KeptAdmin


class ServiceTokenForm(forms.ModelForm[ApiToken]):
    """A token that belongs to no person."""

    scopes = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, choices=ApiToken.Scope.choices
    )
    days = forms.IntegerField(
        label="valid for (days)", initial=DEFAULT_DAYS, min_value=1, max_value=MOST_DAYS
    )

    class Meta:
        model = ApiToken
        fields = ("name", "scopes")


@admin.register(ApiToken)
class ApiTokenAdmin(KeptAdmin[ApiToken]):
    """Everybody's tokens; a new one is a service's, and is shown once."""

    form = ServiceTokenForm
    list_display = (
        "name", "hint", "user", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at",
    )  # fmt: skip
    list_filter = ("revoked_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("name", "hint", "user__username")
    ordering = ("-pk",)
    actions = ("revoke",)
    fields = (
        "name", "user", "scopes", "hint", "created_at", "created_by", "expires_at",
        "last_used_at", "revoked_at",
    )  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """Whether one may revoke; nothing else of a token changes."""
        return obj is None and super().has_change_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        return self.fields if obj else ("name", "scopes", "days")

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        at = clock.now()
        token, text = issue_token(
            name=form.cleaned_data["name"],
            user=None,
            scopes=form.cleaned_data["scopes"],
            created_by=cast(User, request.user),
            expires_at=at + timedelta(days=form.cleaned_data["days"]),
            at=at,
        )
        obj.pk = token.pk
        setattr(request, "token_text", text)  # noqa: B010 - for the answer, never stored

    def response_add(
        self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The one page that shows the token."""
        context = {
            **self.admin_site.each_context(request),
            "title": "The new token",
            "opts": self.opts,
            "token": obj,
            "text": getattr(request, "token_text", ""),
        }
        answer = TemplateResponse(request, "accounts/tokens_new.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        unrevoked = list(queryset.filter(revoked_at=None))
        for token in unrevoked:
            revoke_token(token, at=clock.now())
        self.message_user(request, f"Revoked {len(unrevoked)} tokens.")
