"""The token with which a server speaks for its session: derived, stored nowhere.

It ends with the session, and opens only what is the session's own.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from uuid import UUID

from django.conf import settings

from sessions.models import Session

TOKEN = re.compile(r"lsp_([0-9a-f]{32})_[0-9a-f]{64}")
OVER = (Session.State.ENDED, Session.State.FAILED)


class BadSessionTokenError(Exception):
    """It opens nothing; the text says no more than anybody may know."""


def session_token(hub: str, session: UUID) -> str:
    content = f"session token:{hub}:{session}".encode()
    mac = hmac.digest(settings.SECRET_KEY.encode(), content, hashlib.sha256)
    return f"lsp_{session.hex}_{mac.hex()}"


def is_session_token(text: str) -> bool:
    """Whether it looks like one, and not like a token of a person or a service."""
    return text.startswith("lsp_")


def session_of(token: str, *, at: datetime) -> Session:
    """The session that the token is of, while it lasts. Raises BadSessionTokenError."""
    match = TOKEN.fullmatch(token)
    if match is None:
        raise BadSessionTokenError("This is no token of a session.")
    rows = Session.objects.filter(key=UUID(match[1]), user__isnull=False)
    for session in rows.select_related("hub", "user"):
        expected = session_token(session.hub.name, session.key)
        if hmac.compare_digest(expected, token):
            return _lasting(session, at=at)
    raise BadSessionTokenError("This is no token of a session.")


def _lasting(session: Session, *, at: datetime) -> Session:
    if session.state(at=at) in OVER:
        raise BadSessionTokenError("The session has ended, and its token with it.")
    return session
