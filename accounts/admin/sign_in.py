"""The portal as OpenID provider: its clients can be managed, its tokens are nobody's to read."""

from __future__ import annotations

# Registers what is taken back here.
import oauth2_provider.admin  # noqa: F401
from django.contrib import admin
from django.db.models import Model
from oauth2_provider.models import (
    get_access_token_model,
    get_application_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)

from lsp_portal.lib.admin import PortalAdmin

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
