"""ID tokens: OpenID Connect Core 1.0, section 3.1.3.7."""

from __future__ import annotations

import hmac
import logging
from typing import Any

import jwt

from accounts.identity.discovery import ALGORITHMS, metadata, signing_key
from accounts.identity.failures import SignInFailedError
from accounts.identity.providers import Provider

logger = logging.getLogger(__name__)

LEEWAY = 60  # seconds that clocks may differ
REQUIRED = ["iss", "aud", "exp", "iat", "sub"]


def verified_claims(token: str, provider: Provider, nonce: str | None) -> dict[str, Any]:
    """The claims of an ID token made by the provider for this site and this sign-in.

    Raises SignInFailedError for anything else.
    """
    try:
        claims = _decode(token, provider)
    except jwt.PyJWTError as error:
        raise _bad_token(provider, str(error)) from error
    authorized = claims.get("azp", provider.client_id)
    if authorized != provider.client_id:
        raise _bad_token(provider, "issued to another client (azp)")
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and "azp" not in claims:
        raise _bad_token(provider, "several audiences and no azp")
    told = str(claims.get("nonce")).encode(errors="replace")
    if not nonce or not hmac.compare_digest(told, nonce.encode()):
        raise _bad_token(provider, "nonce of another sign-in")
    return claims


def _decode(token: str, provider: Provider) -> dict[str, Any]:
    header = jwt.get_unverified_header(token)
    key = signing_key(provider, header.get("kid"))
    return jwt.decode(
        token,
        key,
        algorithms=ALGORITHMS,
        audience=provider.client_id,
        issuer=metadata(provider)["issuer"],
        leeway=LEEWAY,
        options={"require": REQUIRED},
    )


def _bad_token(provider: Provider, why: str) -> SignInFailedError:
    logger.warning("ID token of %s refused: %s", provider.name, why)
    return SignInFailedError(
        "bad_token",
        "The answer of the identity provider did not pass the checks of this site.",
        detail=why,
    )
