"""Who may use the API at all: registered people and services, within their tokens' scopes."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission

from accounts.models import ApiToken
from lsp_portal.lib.problems import Problem


class Registered(BasePermission):
    """Approved people and services whose token has the scope for what they ask."""

    def has_permission(self, request: Any, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            raise NotAuthenticated
        if not request.user.is_registered:
            raise PermissionDenied("This account is not approved, has ended or is switched off.")
        if isinstance(request.auth, ApiToken):
            _check_scope(request)
        return True


def require(request: Any, permission: str) -> None:
    """Raises Problem (403) unless the administrator was given that permission."""
    if not (request.user.is_staff and request.user.has_perm(permission)):
        raise Problem(
            403, "forbidden", "Not allowed", f"Only administrators with {permission} may do this."
        )


def require_superuser(request: Any) -> None:
    """Raises Problem (403) unless the caller may change administrators."""
    if not request.user.is_superuser:
        raise Problem(403, "forbidden", "Not allowed", "Only superusers change administrators.")


def _check_scope(request: Any) -> None:
    scope = ApiToken.Scope.READ if request.method in SAFE_METHODS else ApiToken.Scope.WRITE
    if scope not in request.auth.scopes:
        raise Problem(
            403, "scope_missing", "Not allowed", f"The token has not the scope “{scope.value}”."
        )
