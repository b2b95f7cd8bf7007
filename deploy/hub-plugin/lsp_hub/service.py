"""The service account with which the portal starts, stops and lists servers."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

from lsp_hub.signing import secret_key

SERVICE_NAME = "lsp-portal"
# The least with which a portal lists people and their servers, starts and stops them.
SCOPES = ("list:users", "read:users:name", "read:servers", "servers")
CREATE_USERS_SCOPE = "admin:users"  # JupyterHub has no smaller one that creates a user


def derive_service_token(secret: str, hub: str) -> str:
    """The API token of the portal at this hub: both sides derive it, nobody sends it.

    HMAC-SHA256 with the key bytes of the hub's `whsec_` secret over
    `lsp-hub service token:<hub>`, in hexadecimal.
    """
    content = f"lsp-hub service token:{hub}".encode()
    return hmac.digest(secret_key(secret), content, hashlib.sha256).hex()


def service_entry(token: str) -> dict[str, Any]:
    """The element of `c.JupyterHub.services`."""
    return {"name": SERVICE_NAME, "api_token": token}


def role_entry(scopes: Iterable[str]) -> dict[str, Any]:
    """The element of `c.JupyterHub.load_roles`."""
    return {
        "name": SERVICE_NAME,
        "description": "Start, stop and list servers for the portal",
        "scopes": list(scopes),
        "services": [SERVICE_NAME],
    }
