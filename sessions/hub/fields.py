"""The values that fields of an event may have. Everything else raises BadEventError."""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sessions import sub_names

MAX_LENGTH = 1024  # characters of a string
MAX_INTEGER = 2**31 - 1
MAX_AHEAD = 300  # seconds by which an event may be ahead of its receipt

SLUG = re.compile(r"[a-z][a-z0-9-]{0,29}\Z")
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE)
MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
# NUL, which PostgreSQL does not keep, and halves of characters, which no encoding has.
NO_TEXT = re.compile("[\0\ud800-\udfff]")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = int((datetime(1, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
LATEST = int((datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - EPOCH).total_seconds())


class BadEventError(ValueError):
    """An event cannot be taken in; `code` says why for programs, the text for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def required(fields: dict[str, Any], name: str, path: str = "") -> Any:
    """The value of a field that must be there; null counts as absent."""
    value = fields.get(name)
    if value is None:
        raise BadEventError("missing_field", f"{path}{name} is missing.")
    return value


def is_text(value: str) -> bool:
    return len(value) <= MAX_LENGTH and not NO_TEXT.search(value)


def text(value: Any, name: str, *, minimum: int = 0) -> str:
    """A string of at most 1,024 characters that can be stored."""
    if not isinstance(value, str):
        raise _bad(name, "a string")
    if not is_text(value) or len(value) < minimum:
        raise _bad(name, f"a string of {minimum} to {MAX_LENGTH} characters without NUL")
    return value


def pattern(value: Any, name: str, expression: re.Pattern[str], wanted: str) -> str:
    if not isinstance(value, str) or not expression.match(value):
        raise _bad(name, wanted)
    return value


def slug(value: Any, name: str) -> str:
    wanted = "1 to 30 lower-case letters, digits and hyphens, beginning with a letter"
    return pattern(value, name, SLUG, wanted)


def sub_name(value: Any, name: str) -> str:
    """Which of those who share an account."""
    if not isinstance(value, str) or not sub_names.is_sub_name(value):
        raise _bad(name, f"a string of {sub_names.WANTED}")
    return value


def integer(value: Any, name: str, *, minimum: int = 0) -> int:
    if type(value) is not int or not minimum <= value <= MAX_INTEGER:
        raise _bad(name, f"an integer from {minimum} to {MAX_INTEGER}")
    return value


def boolean(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise _bad(name, "true or false")
    return value


def mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(name, "an object")
    return value


def items(value: Any, name: str, maximum: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > maximum:
        raise _bad(name, f"a list of at most {maximum} elements")
    return value


def choice(value: Any, name: str, choices: Container[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise _bad(name, "one of the words of the contract")
    return value


def uuid(value: Any, name: str) -> str:
    """A UUID in the one spelling that all of its spellings share."""
    if not isinstance(value, str) or not UUID_TEXT.fullmatch(value):
        raise _bad(name, "a UUID")
    return str(UUID(value))


def moment(value: Any, name: str, *, latest: int | None = None) -> int:
    """Seconds since 1970 (UTC) of an RFC 3339 time, its fraction cut off; `latest` is allowed."""
    parts = MOMENT.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        raise BadEventError("bad_time", f"{name} must be an RFC 3339 time with an offset.")
    try:
        seconds = _seconds(parts)
    except ValueError as error:
        raise BadEventError("bad_time", f"{name} is no moment of the calendar: {error}.") from error
    if latest is not None and seconds > latest:
        raise BadEventError("bad_time", f"{name} is more than {MAX_AHEAD} seconds ahead.")
    return seconds


def _seconds(parts: re.Match[str]) -> int:
    """The seconds of a match of MOMENT. A leap second is the first second of the next minute."""
    day, minute, second, sign, hours, minutes = parts.groups()
    if int(second) > 60 or int(hours or 0) > 23 or int(minutes or 0) > 59:
        raise ValueError("a field is out of range")
    start = datetime.fromisoformat(f"{day}T{minute}:00+00:00")
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    since = start - EPOCH - (offset if sign == "+" else -offset)
    seconds = int(since.total_seconds()) + int(second)
    if not EARLIEST <= seconds <= LATEST:
        raise ValueError("the year must be from 1 to 9999")
    return seconds


def _bad(name: str, wanted: str) -> BadEventError:
    return BadEventError("bad_value", f"{name} must be {wanted}.")
