"""Whether the site itself lets a newcomer in, by its policy or that of the provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from django.conf import settings

from accounts import approvals
from accounts.identity.failures import SignInFailedError
from accounts.identity.providers import Provider
from accounts.models import Identity

NOT_INVITED = (
    "This site takes in people by invitation only, and no account was made for you. "
    "Ask the PI of your group for an invitation and sign in through the link in it."
)


def policy_of(provider: Provider) -> str:
    """The provider's own policy where it has one, else that of the installation."""
    return provider.registration or settings.REGISTRATION


def ensure_may_come(provider: Provider, *, invited: bool, who: str) -> None:
    """Refuse somebody unknown whom the site takes in by invitation only and nobody invited.

    Raises SignInFailedError, which leaves a record of the attempt and no account.
    """
    if policy_of(provider) == "invitation" and not invited:
        raise SignInFailedError("not_invited", NOT_INVITED, status=403, detail=who)


def register_by_policy(identity: Identity, *, provider: Provider, at: datetime) -> None:
    """Approve somebody about whom nobody decided yet, where the policy says so."""
    user = identity.user
    if user.registered_at is not None or not user.is_active or user.registrations.exists():
        return
    reason = _reason(identity, provider)
    if reason:
        with suppress(approvals.NotWaitingError):  # a sign-in at the same moment was faster
            approvals.approve(user=user, by=None, at=at, reason=reason)


def _reason(identity: Identity, provider: Provider) -> str:
    """Why the policy lets the person in; empty when it does not."""
    policy = policy_of(provider)
    if policy == "open":
        return "Everybody is registered at the first sign-in."
    if policy != "claim":
        return ""
    met = (f"{kind}={value}" for kind, value in settings.REGISTRATION_CLAIMS
           if any(_fits(value, said) for said in _said(identity, provider, kind)))  # fmt: skip
    condition = next(met, "")
    return f"The claims meet the condition {condition}." if condition else ""


def _said(identity: Identity, provider: Provider, kind: str) -> Iterator[str]:
    names = {
        "entitlement": provider.entitlement_claims,
        "affiliation": provider.affiliation_claims,
        "groups": (provider.groups_claim, "organisations", "teams")
        if provider.kind == "github"
        else (provider.groups_claim,),
    }[kind]
    for name in filter(None, names):
        value = identity.claims.get(name)
        values = value if isinstance(value, list) else [value]
        yield from (item for item in values if isinstance(item, str))


def _fits(value: str, said: str) -> bool:
    return said == value or (value.startswith("@") and said.endswith(value))
