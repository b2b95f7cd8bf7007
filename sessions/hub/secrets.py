"""Secrets of hubs: derived from the site's secret key whenever they are needed, never stored."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime

from django.conf import settings

from sessions.models import Hub, HubSecret

PREFIX = "whsec_"


class NoValidSecretError(Exception):
    """The hub has no secret that is valid at the moment."""


def secret_bytes(hub_name: str, nonce: str) -> bytes:
    """The 32 bytes of the secret with that nonce: the key of signatures."""
    return _hmac(settings.SECRET_KEY.encode(), f"hub secret:{hub_name}:{nonce}")


def secret_text(secret: HubSecret) -> str:
    """The secret as administrators copy it into the hub's configuration."""
    return PREFIX + base64.b64encode(secret_bytes(secret.hub.name, secret.nonce)).decode()


def issue_secret(hub: Hub, now: datetime) -> HubSecret:
    """A new secret of the hub, valid from now on beside those that are valid already."""
    return HubSecret.objects.create(hub=hub, nonce=secrets.token_hex(16), valid_from=now)


def service_token(hub: Hub, *, at: datetime) -> str:
    """The token with which the portal calls the hub; the hub's plugin derives the same one.

    It follows from the newest valid secret. Raises NoValidSecretError.
    """
    return service_tokens(hub, at=at)[0]


def service_tokens(hub: Hub, *, at: datetime) -> list[str]:
    """The tokens of all valid secrets, the newest first: during a rotation a hub has one of them.

    Raises NoValidSecretError.
    """
    valid = hub.secrets.valid(at=at).order_by("-valid_from", "-pk")
    keys = [secret_bytes(hub.name, secret.nonce) for secret in valid]
    if not keys:
        raise NoValidSecretError(f"The hub {hub.name} has no valid secret.")
    return [_hmac(key, f"lsp-hub service token:{hub.name}").hex() for key in keys]


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), hashlib.sha256)
