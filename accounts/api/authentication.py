"""Who calls the API: somebody with a token, or somebody signed in with a browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import ApiToken, User
from accounts.tokens import BadTokenError, find_token
from lsp_portal.lib import clock


@dataclass(frozen=True)
class Service:
    """A program that acts for no person, with an administrator's rights in its token's scopes."""

    token: ApiToken
    pk: None = None
    is_authenticated: bool = True
    is_active: bool = True
    is_registered: bool = True
    is_staff: bool = True
    is_superuser: bool = True

    def has_perm(self, permission: str) -> bool:
        return True


Caller = User | Service


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer lspt_...`"""

    def authenticate(self, request: Request) -> tuple[Caller, ApiToken] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"bearer":
            return None
        if len(words) != 2:
            raise AuthenticationFailed("Send the header “Authorization: Bearer <token>”.")
        try:
            token = find_token(words[1].decode(errors="replace"), at=clock.now())
        except BadTokenError as error:
            raise AuthenticationFailed(str(error)) from error
        return token.user or Service(token), token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="LSP Portal"'


def caller_key(request: Any) -> str:
    """Whose idempotency keys these are."""
    user = request.user
    return f"user {user.pk}" if user.pk is not None else f"token {request.auth.pk}"
