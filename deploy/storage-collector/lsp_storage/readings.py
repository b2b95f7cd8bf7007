"""What was measured of one owner, and how it travels."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

LARGEST = 2**63 - 1  # what a database holds


class BadReadingError(ValueError):
    """A reading that cannot be; the text says what was wrong and what would be right."""


@dataclass(frozen=True)
class Reading:
    """Bytes and files that an owner takes on a mount at a moment.

    The owner is a `name`, or a `number` (a uid, gid or project id), of `kind` "user" or "group".
    A limit that is None is not known; 0 stands for none. `stale` says that the numbers are older
    than `taken_at`, because the file server had no newer ones.
    """

    kind: str
    mount: str
    taken_at: datetime
    used_bytes: int
    name: str | None = None
    number: int | None = None
    files: int | None = None
    soft_bytes: int | None = None
    hard_bytes: int | None = None
    source: str = "other"
    stale: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("user", "group"):
            raise BadReadingError(f"kind is {self.kind!r}; it is user or group")
        if (self.name is None) == (self.number is None):
            raise BadReadingError("an owner has a name or a number, and not both")
        if not self.mount:
            raise BadReadingError("mount is empty; it names the file system, such as /home")
        if self.taken_at.tzinfo is None:
            raise BadReadingError("taken_at has no time zone; write it like 2026-05-01T02:00:00Z")
        for field in ("used_bytes", "number", "files", "soft_bytes", "hard_bytes"):
            _check_amount(field, getattr(self, field))

    def line(self) -> str:
        """The reading as one line of JSON."""
        known = {key: value for key, value in asdict(self).items() if value is not None}
        moment = self.taken_at.astimezone(UTC).isoformat(timespec="seconds")
        return json.dumps(known | {"taken_at": moment.replace("+00:00", "Z")})


def _check_amount(field: str, value: int | None) -> None:
    if value is not None and not 0 <= value <= LARGEST:
        raise BadReadingError(f"{field} is {value}; it is a number from 0 to {LARGEST}")


def read_line(line: str) -> Reading:
    """The reading that a line of JSON holds. Raises BadReadingError."""
    try:
        content = json.loads(line)
    except ValueError as error:
        raise BadReadingError(f"no JSON: {error}") from error
    if not isinstance(content, dict):
        raise BadReadingError("a reading is an object of JSON")
    return read(content)


def read(content: Mapping[str, Any]) -> Reading:
    """The reading that an object of JSON holds. Raises BadReadingError."""
    unknown = content.keys() - Reading.__dataclass_fields__.keys()
    if unknown:
        raise BadReadingError(f"unknown: {', '.join(sorted(unknown))}")
    for field, kind in TYPES.items():
        value = content.get(field)
        if value is not None and type(value) is not kind:
            raise BadReadingError(f"{field} is {value!r}; it is {WORDS[kind]}")
    try:
        return Reading(**{**content, "taken_at": _moment(content.get("taken_at"))})
    except TypeError as error:
        missing = [name for name in ("kind", "mount", "used_bytes") if name not in content]
        raise BadReadingError(f"missing: {', '.join(missing)}") from error


def _moment(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError as error:
        raise BadReadingError(
            f"taken_at is {text!r}; write it like 2026-05-01T02:00:00Z"
        ) from error


WORDS: dict[type, str] = {str: "text", int: "a whole number", bool: "true or false"}
TYPES: dict[str, type] = {
    "kind": str,
    "mount": str,
    "taken_at": str,
    "name": str,
    "source": str,
    "used_bytes": int,
    "number": int,
    "files": int,
    "soft_bytes": int,
    "hard_bytes": int,
    "stale": bool,
}
