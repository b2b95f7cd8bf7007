"""The index of the administration, in the order in which administrators work."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts.identity.providers import providers

# App label and title; apps that are not named here come last.
ORDER = {
    "accounts": "People and groups",
    "quotas": "Quotas",
    "hub_sessions": "Hubs and sessions",
    "accounting": "Exports and statements",
    "lsp_portal": "Landing page",
    "oauth2_provider": "Programs that sign people in here",
    "admin": "What administrators did",
}


class PortalSite(AdminSite):
    """The administration of the whole portal."""

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Sign in as everywhere; `?password` shows the form for accounts with a password.

        Who is signed in without being an administrator is told so (PermissionDenied).
        """
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied
        wants_form = request.method != "GET" or "password" in request.GET or not providers()
        if wants_form or request.user.is_authenticated:
            return super().login(request, extra_context)
        after = request.GET.get("next") or reverse("admin:index")
        return redirect(f"{reverse('login')}?{urlencode({'next': after})}")

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        found = super().get_app_list(request, app_label)
        for app in found:
            app["name"] = ORDER.get(app["app_label"], app["name"])
        places = {label: place for place, label in enumerate(ORDER)}
        return sorted(found, key=lambda app: places.get(app["app_label"], len(places)))


class AdministrationConfig(AdminConfig):
    default_site = "lsp_portal.administration.PortalSite"
