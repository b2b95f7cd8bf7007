"""Events as the portal's contract words them."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

MAX_TEXT = 1024  # characters of one string in an event
MAX_NUMBER = 2**31 - 1

REASONS = frozenset(
    {"user", "admin", "culled", "quota", "crashed", "oom", "evicted", "hub", "unknown"}
)


def utc_now() -> datetime:
    """The moment, to be read once where a hook begins."""
    return datetime.now(UTC)


def time_text(at: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, fraction cut off."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_session() -> str:
    """A session id chosen here."""
    return str(uuid.uuid4())


def event(
    kind: str,
    *,
    at: datetime,
    user: str | None = None,
    server: str | None = None,
    session: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> str:
    """An event as JSON text with an identity of its own; the outbox adds epoch and seq."""
    body: dict[str, Any] = {"id": f"evt_{uuid.uuid4().hex}", "type": kind, "time": time_text(at)}
    subject = {"user": user, "server": server, "session": session}
    body |= {name: value for name, value in subject.items() if value is not None}
    body["data"] = {name: value for name, value in (data or {}).items() if value is not None}
    return json.dumps(body, separators=(",", ":"))


def short_text(value: object) -> str:
    """A string that the portal takes: without NUL, at most 1,024 characters."""
    return str(value).replace("\0", "")[:MAX_TEXT]


def exit_code(status: object) -> int | None:
    """An exit status as a number from 0: a signal -n becomes 128 + n as in a shell."""
    if not isinstance(status, int) or isinstance(status, bool):
        return None
    code = 128 - status if status < 0 else status
    return code if code <= MAX_NUMBER else None
