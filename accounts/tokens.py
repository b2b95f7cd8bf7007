"""Tokens for the API: issued once, found by their digest, revoked for good."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from django.db.models import Q

from accounts.models import ApiToken, User

PREFIX = "lspt_"
HINT_LENGTH = 10
DEFAULT_DAYS = 90
MOST_DAYS = 365
USE_INTERVAL = timedelta(minutes=1)
"""How often the last use of a token is written down at most."""


class BadTokenError(Exception):
    """The token opens nothing; the message says why."""


def issue_token(
    *,
    name: str,
    user: User | None,
    scopes: Sequence[str],
    created_by: User | None,
    expires_at: datetime | None,
    at: datetime,
) -> tuple[ApiToken, str]:
    """A new token, and its text, which nobody can find out again. Without user: a service's."""
    text = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        name=name,
        user=user,
        scopes=list(scopes),
        digest=digest(text),
        hint=text[:HINT_LENGTH],
        created_at=at,
        created_by=created_by,
        expires_at=expires_at,
    )
    return token, text


def find_token(text: str, *, at: datetime) -> ApiToken:
    """The token with that text, its use noted. Raises BadTokenError.

    Compared by the index of SHA-256 digests: how long that takes tells nothing about the token.
    """
    token = ApiToken.objects.select_related("user").filter(digest=digest(text)).first()
    if token is None:
        raise BadTokenError("There is no such token.")
    if token.revoked_at is not None:
        raise BadTokenError(f"The token was revoked at {token.revoked_at:%Y-%m-%dT%H:%M:%SZ}.")
    if token.expires_at is not None and token.expires_at <= at:
        raise BadTokenError(f"The token expired at {token.expires_at:%Y-%m-%dT%H:%M:%SZ}.")
    _note_use(token, at)
    return token


def revoke_token(token: ApiToken, *, at: datetime) -> None:
    """The token opens nothing from now on; a second time changes nothing."""
    if token.revoked_at is None:
        token.revoked_at = at
        token.save(update_fields=["revoked_at"])


def digest(text: str) -> bytes:
    return sha256(text.encode(errors="replace")).digest()


def _note_use(token: ApiToken, at: datetime) -> None:
    if token.last_used_at is not None and token.last_used_at > at - USE_INTERVAL:
        return
    unnoted = Q(last_used_at=None) | Q(last_used_at__lte=at - USE_INTERVAL)
    ApiToken.objects.filter(unnoted, pk=token.pk).update(last_used_at=at)
    token.last_used_at = at
