"""What a provider says about somebody, once it is proved that the provider says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accounts.identity.failures import SignInFailedError

KEY_LENGTH = 255
VALUES = 2000  # in one claim; no real person is in more groups


@dataclass(frozen=True)
class Assertion:
    """Somebody at a provider: issuer and subject are the key, the claims are what it says."""

    issuer: str
    subject: str
    claims: dict[str, Any]


def assertion(issuer: str, subject: object, claims: Mapping[str, Any]) -> Assertion:
    """The three together. Raises SignInFailedError for what cannot be kept."""
    if not isinstance(subject, str) or not _is_key(subject) or not _is_key(issuer):
        raise SignInFailedError(
            "no_subject",
            "The identity provider does not say who you are.",
            detail=f"the subject is {str(subject)[:100]!r}",
        )
    for name, value in claims.items():
        if isinstance(value, (list, dict)) and len(value) > VALUES:
            raise SignInFailedError(
                "too_many_values",
                f"The identity provider says too much about you: {len(value)} values of "
                f"“{name[:60]}”, where this site reads at most {VALUES}.",
                detail=f"{name[:60]}: {len(value)} values",
            )
    return Assertion(issuer, subject, dict(claims))


def _is_key(text: str) -> bool:
    return 0 < len(text) <= KEY_LENGTH and text.isprintable() and text.strip() == text
