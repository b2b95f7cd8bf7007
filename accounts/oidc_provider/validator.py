"""What the portal grants to its clients, and what it tells them about people."""

from __future__ import annotations

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator

from accounts.models import Group, User
from lsp_portal.lib import clock


class PortalValidator(OAuth2Validator):  # type: ignore[misc]  # untyped base
    """Tokens only for people who may use the platform, looked at again at every use."""

    oidc_claim_scope = {**OAuth2Validator.oidc_claim_scope, "groups": "groups"}

    def validate_code(self, *args: Any, **kwargs: Any) -> bool:
        return super().validate_code(*args, **kwargs) and _may_sign_in(args[3])

    def validate_refresh_token(self, *args: Any, **kwargs: Any) -> bool:
        return super().validate_refresh_token(*args, **kwargs) and _may_sign_in(args[2])

    def validate_bearer_token(self, token: str, scopes: list[str], request: Any) -> bool:
        if super().validate_bearer_token(token, scopes, request) and _may_sign_in(request):
            return True
        request.user = None
        return False

    def validate_silent_login(self, request: Any) -> bool:
        """The view has let nobody pass who is not signed in."""
        return True

    def validate_silent_authorization(self, request: Any) -> bool:
        """Without a page nobody can consent: only for clients that need no consent."""
        return bool(request.client.skip_authorization)

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        """The person as hubs know them: the permanent name and the groups of the moment."""
        user = request.user
        groups = Group.objects.of(user, at=clock.now())
        return {
            "preferred_username": user.username,
            "name": user.title,
            "email": user.email,
            "groups": list(groups.values_list("name", flat=True)),
        }

    def get_discovery_claims(self, request: Any) -> list[str]:
        return ["sub", "preferred_username", "name", "email", "groups"]


def _may_sign_in(request: Any) -> bool:
    return isinstance(request.user, User) and request.user.is_registered
