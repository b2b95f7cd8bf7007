"""What a provider publishes about itself: its endpoints and its signing keys, cached."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

import jwt
from django.core.cache import cache

from accounts.identity.failures import SignInFailedError
from accounts.identity.providers import Provider
from accounts.identity.web import ask, good

logger = logging.getLogger(__name__)

DOCUMENT_AGE = 3600  # seconds that a document is believed
REFETCH_AGE = 30  # seconds between fetches that unknown keys ask for
ALGORITHMS = ["RS256", "ES256"]
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def metadata(provider: Provider) -> dict[str, Any]:
    """The provider's discovery document. Raises SignInFailedError."""
    document = _cached(f"{provider.issuer}/.well-known/openid-configuration")
    if str(document.get("issuer", "")).rstrip("/") != provider.issuer:
        raise _unusable(provider, "it names another issuer")
    if not all(_is_address(document.get(name)) for name in ENDPOINTS):
        raise _unusable(provider, "its endpoints are missing")
    if not _is_address(document.get("userinfo_endpoint", "https://none")):
        raise _unusable(provider, "its userinfo endpoint is no address")
    return document


def signing_key(provider: Provider, key_id: str | None) -> jwt.PyJWK:
    """The key with that id, or the only one; keys are fetched again once when it is unknown."""
    address = metadata(provider)["jwks_uri"]
    key = _find_key(_cached(address), key_id)
    if key is None and cache.add(f"identity:refetch:{address}", 1, REFETCH_AGE):
        key = _find_key(_fetch(address), key_id)
    if key is None:
        raise _unusable(provider, "the key that signed its answer is unknown")
    return key


def _find_key(document: dict[str, Any], key_id: str | None) -> jwt.PyJWK | None:
    keys = [key for key in _usable_keys(document) if key_id is None or key.key_id == key_id]
    return keys[0] if len(keys) == 1 or (keys and key_id is not None) else None


def _usable_keys(document: dict[str, Any]) -> list[jwt.PyJWK]:
    try:
        keys = jwt.PyJWKSet.from_dict(document).keys
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError) as error:
        logger.warning("a key set cannot be read: %s", error)
        return []
    return [
        key
        for key in keys
        if key.algorithm_name in ALGORITHMS and key.public_key_use in (None, "sig")
    ]


def _cached(address: str) -> dict[str, Any]:
    document = cache.get(f"identity:{address}")
    return document if document is not None else _fetch(address)


def _fetch(address: str) -> dict[str, Any]:
    document = good(ask("GET", address), address)
    if not isinstance(document, dict):
        raise SignInFailedError(
            "provider_unusable",
            "The identity provider answers with something else than expected.",
            detail=f"{address}: no JSON object",
        )
    cache.set(f"identity:{address}", document, DOCUMENT_AGE)
    return document


def _is_address(value: object) -> bool:
    return isinstance(value, str) and urlsplit(value).scheme in ("http", "https")


def _unusable(provider: Provider, why: str) -> SignInFailedError:
    logger.warning("identity provider %s: %s", provider.name, why)
    return SignInFailedError(
        "provider_unusable", f"The identity provider cannot be trusted: {why}.", detail=why
    )
