"""Standard Webhooks signatures, the sender's side."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)  # Standard Webhooks: 24 to 64 bytes


def secret_key(secret: str) -> bytes:
    """The key bytes of a `whsec_...` secret.

    Raises ValueError for anything else, without quoting it.
    """
    if not secret.startswith(PREFIX):
        raise ValueError(f"The hub's secret has to start with {PREFIX}")
    try:
        key = base64.b64decode(secret[len(PREFIX) :], validate=True)
    except binascii.Error as error:
        raise ValueError("The hub's secret is not padded base64") from error
    if len(key) not in KEY_BYTES:
        raise ValueError("The hub's secret has to hold 24 to 64 bytes")
    return key


def request_content(method: str, target: str) -> bytes:
    """What is signed of a request without body: method and target as on the request line."""
    return f"{method} {target}".encode()


def signed_headers(
    keys: Sequence[bytes], *, message: str, timestamp: int, content: bytes
) -> dict[str, str]:
    """The three headers of one attempt at `timestamp` (seconds), one signature for each key."""
    signed = f"{message}.{timestamp}.".encode() + content
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(key, signed)}" for key in keys),
    }


def _signature(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
