"""The record of attempts to sign in and to link identities."""

from __future__ import annotations

import logging
from datetime import datetime

from accounts.identity.failures import SignInFailedError
from accounts.identity.providers import Provider
from accounts.models import SignIn, User

logger = logging.getLogger(__name__)


def note_success(
    *, provider: Provider, user: User, at: datetime, detail: str = "", address: str | None
) -> SignIn:
    return SignIn.objects.create(
        provider=provider.name,
        outcome=SignIn.OK,
        detail=_plain(detail),
        user=user,
        remote_ip=address,
        at=at,
    )


def note_failure(
    *,
    provider: Provider,
    failure: SignInFailedError,
    user: User | None,
    at: datetime,
    address: str | None,
    links: bool,
) -> SignIn:
    """Also in the log, in one line."""
    detail = _plain(f"linking: {failure.detail}" if links else failure.detail)
    logger.warning("sign-in with %s failed: %s (%s)", provider.name, failure.code, detail)
    return SignIn.objects.create(
        provider=provider.name,
        outcome=failure.code,
        detail=detail,
        user=failure.user or user,
        remote_ip=address,
        at=at,
    )


def _plain(text: str) -> str:
    """What a provider or a visitor wrote, fit for one line of a log and for the database."""
    return "".join(c if c.isprintable() else "?" for c in text)[:300]
