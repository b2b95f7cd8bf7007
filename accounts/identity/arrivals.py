"""From what a provider proved to somebody who is let in."""

from __future__ import annotations

from datetime import datetime

from accounts.identity.assertions import Assertion
from accounts.identity.failures import AccountExpiredError, AccountSwitchedOffError
from accounts.identity.providers import Provider
from accounts.models import User
from accounts.registration import sign_in_identity


def let_in(*, provider: Provider, assertion: Assertion, at: datetime) -> User:
    """The person of the identity, who may stay. Raises SignInFailedError."""
    user = sign_in_identity(
        provider=provider,
        issuer=assertion.issuer,
        subject=assertion.subject,
        claims=assertion.claims,
        at=at,
    )
    if not user.is_active:
        raise AccountSwitchedOffError(user)
    if user.has_ended(at=at):
        raise AccountExpiredError(user)
    return user
