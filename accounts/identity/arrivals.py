"""From what a provider proved to somebody who is let in."""

from __future__ import annotations

from datetime import datetime

from accounts.identity.assertions import Assertion
from accounts.identity.failures import AccountExpiredError, AccountSwitchedOffError
from accounts.identity.providers import Provider
from accounts.models import Invitation, User
from accounts.registration import sign_in_identity


def let_in(
    *,
    provider: Provider,
    assertion: Assertion,
    at: datetime,
    invitation: Invitation | None = None,
) -> User:
    """The person of the identity, who may stay. Raises SignInFailedError.

    `invitation`: the open one whose link the person followed.
    """
    user = sign_in_identity(
        provider=provider,
        issuer=assertion.issuer,
        subject=assertion.subject,
        claims=assertion.claims,
        at=at,
        invitation=invitation,
    )
    if not user.is_active:
        raise AccountSwitchedOffError(user)
    if user.has_ended(at=at):
        raise AccountExpiredError(user)
    return user
