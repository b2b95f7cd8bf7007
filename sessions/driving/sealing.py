"""The environment of a server on its way to the cluster: encrypted, for it holds a hub's token."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

import orjson
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


class SealBroken(Exception):  # noqa: N818 - what happened
    """It was not sealed with this site's secret key, or is no whole any more."""


def seal(environment: Mapping[str, str]) -> bytes:
    return _fernet().encrypt(orjson.dumps(dict(environment)))


def unseal(sealed: bytes) -> dict[str, str]:
    """Raises SealBroken."""
    try:
        content: dict[str, str] = orjson.loads(_fernet().decrypt(bytes(sealed)))
    except InvalidToken as error:
        raise SealBroken("The environment cannot be read with this secret key.") from error
    return content


def digest(content: bytes) -> bytes:
    """What tells two contents apart without giving away either."""
    return hmac.digest(_key("digest"), content, hashlib.sha256)


def _fernet() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_key("seal")))


def _key(purpose: str) -> bytes:
    secret = settings.SECRET_KEY.encode()
    return hmac.digest(secret, f"server environment:{purpose}".encode(), hashlib.sha256)
