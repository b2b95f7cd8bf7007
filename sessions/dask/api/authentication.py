"""A server that speaks for its session: `Authorization: Bearer lsp_...`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import User
from lsp_portal.lib import clock
from sessions.models import Session
from sessions.session_tokens import BadSessionTokenError, is_session_token, session_of


class SessionTokenAuthentication(BaseAuthentication):
    """Only for views of what is the session's own, which look at the session in `auth`."""

    def authenticate(self, request: Request) -> tuple[User, Session] | None:
        words = get_authorization_header(request).decode(errors="replace").split()
        if len(words) != 2 or words[0].lower() != "bearer" or not is_session_token(words[1]):
            return None
        try:
            session = session_of(words[1], at=clock.now())
        except BadSessionTokenError as error:
            raise AuthenticationFailed(str(error)) from error
        if session.user is None:
            raise AuthenticationFailed("Nobody is known to own the session.")
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="LSP Portal"'


class SessionTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its registry
    target_class = SessionTokenAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The token of a session, which its server has as LSP_TOKEN.",
        }
