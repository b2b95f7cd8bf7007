"""Attempts to sign in here, and the clients of the portal as OpenID provider.

The tokens of these are nobody's to read.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

# Registers what is taken back here.
import oauth2_provider.admin  # noqa: F401
from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from oauth2_provider.models import (
    get_access_token_model,
    get_application_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)

from accounts.identity.providers import providers
from accounts.models import SignIn, User
from lsp_portal.lib.admin import BigTableAdmin, PortalAdmin

Application: type[Model] = get_application_model()

for hidden in (
    Application,
    get_access_token_model(),
    get_grant_model(),
    get_id_token_model(),
    get_refresh_token_model(),
):
    admin.site.unregister(hidden)


@admin.register(Application)
class ApplicationAdmin(PortalAdmin[Model]):
    """Programs that sign people in through the portal; `create_oidc_client` makes them."""

    list_display = ("name", "redirect_uris", "skip_authorization", "created")
    search_fields = ("name", "redirect_uris")
    ordering = ("name",)
    fields = (
        "name", "client_id", "redirect_uris", "post_logout_redirect_uris", "skip_authorization",
        "client_type", "authorization_grant_type", "algorithm", "created",
    )  # fmt: skip
    readonly_fields = (
        "client_id", "client_type", "authorization_grant_type", "algorithm", "created",
    )  # fmt: skip

    def has_add_permission(self, request: object) -> bool:
        """Not here: a client's secret is told once, by the command that makes it."""
        return False


class OutcomeFilter(admin.SimpleListFilter):
    title = "outcome"
    parameter_name = "result"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("ok", "signed in or linked"), ("failed", "failed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SignIn]) -> QuerySet[SignIn]:
        if self.value() == "ok":
            return queryset.filter(outcome=SignIn.OK)
        return queryset.exclude(outcome=SignIn.OK) if self.value() == "failed" else queryset


class ProviderFilter(admin.SimpleListFilter):
    """From the settings: the table is too large to ask it for its providers."""

    title = "provider"
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(provider.name, provider.title) for provider in providers()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SignIn]) -> QuerySet[SignIn]:
        name = self.value()
        return queryset.filter(provider=name) if name in {p.name for p in providers()} else queryset


@admin.register(SignIn)
class SignInAdmin(BigTableAdmin[SignIn]):
    """Every attempt to sign in or to link an identity."""

    list_display = ("at", "provider", "outcome", "user", "remote_ip", "detail")
    list_filter = (OutcomeFilter, ProviderFilter)
    list_select_related = ("user",)
    search_help_text = "A user name, or a day (UTC) as 2026-05-01"
    fields = ("at", "provider", "outcome", "detail", "user", "remote_ip")

    def found(self, term: str) -> Q:
        try:
            day = datetime.combine(date.fromisoformat(term), datetime.min.time(), UTC)
            return Q(at__gte=day, at__lt=day + timedelta(days=1))
        except (ValueError, OverflowError):
            return Q(user__in=User.objects.filter(username=term))
