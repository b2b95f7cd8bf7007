"""How long a hub goes on with people whom the portal cannot confirm just now.

The time of the last confirmation is kept with the person's login in the hub's database, so a
restart of the hub does not lengthen it.
"""

import json
from collections.abc import Mapping
from typing import Any

from tornado.httpclient import HTTPClientError
from tornado.web import HTTPError

CONFIRMED = "lsp_confirmed_at"  # seconds since 1970, in the person's auth_state

NO = frozenset({400, 401, 403})
# The portal does not know this hub: that says nothing about the person.
OF_THE_HUB = frozenset({"invalid_client", "unauthorized_client"})


def is_away(error: BaseException) -> bool:
    """Whether the portal gave no decision about the person."""
    if isinstance(error, HTTPClientError):
        return error.code not in NO or _error_code(error) in OF_THE_HUB
    if isinstance(error, HTTPError):
        return error.status_code >= 500
    return True  # names, sockets, TLS, answers that are no JSON: each has its own class


def is_trusted(auth_state: Mapping[str, Any] | None, *, now: float, seconds: float) -> bool:
    """Whether the portal confirmed the person lately enough to go on without it."""
    confirmed = (auth_state or {}).get(CONFIRMED)
    return isinstance(confirmed, int | float) and now - confirmed < seconds


def _error_code(error: HTTPClientError) -> object:
    try:
        content = json.loads(error.response.body) if error.response else None
    except ValueError:
        return None
    return content.get("error") if isinstance(content, dict) else None
