"""Settings from the environment: `NAME`, or the content of the file that `NAME_FILE` names.

An empty value counts as unset. Whatever is wrong raises `ImproperlyConfigured` with the name of the
variable and what would be right; the value itself is never shown, since it may be a secret.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
MAIL_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


def text(name: str, default: str | None = None) -> str:
    """The value of `name`; without one the default; without a default an error."""
    value = _read(name)
    if value is not None:
        return value
    if default is None:
        raise ImproperlyConfigured(
            f"{name} is not set. Set {name}, or {name}_FILE to a file that holds it."
        )
    return default


def boolean(name: str, default: bool) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off; in any case of letters."""
    value = text(name, "true" if default else "false").lower()
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name} must be one of 1, true, yes, on, 0, false, no, off.")
    return value in TRUE


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    """One of the words."""
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}.")
    return value


def integer(name: str, default: int, minimum: int = 0) -> int:
    """A whole number, at least `minimum`."""
    value = text(name, str(default))
    with suppress(ValueError):
        if int(value) >= minimum:
            return int(value)
    raise ImproperlyConfigured(f"{name} must be a whole number, at least {minimum}.")


def interval(name: str, default: tuple[int, int], within: tuple[int, int]) -> tuple[int, int]:
    """The first and the last of a range of whole numbers, written `1000-1999`."""
    first, dash, last = text(name, f"{default[0]}-{default[1]}").partition("-")
    with suppress(ValueError):
        if dash and within[0] <= int(first) <= int(last) <= within[1]:
            return int(first), int(last)
    raise ImproperlyConfigured(
        f"{name} must be two whole numbers like {default[0]}-{default[1]}, "
        f"from {within[0]} to {within[1]}."
    )


def path(name: str, default: str) -> str:
    """An absolute path for a table whose columns are separated by colons."""
    value = text(name, default)
    if not value.startswith("/") or ":" in value or not value.isprintable():
        raise ImproperlyConfigured(f"{name} must be a path that begins with / and has no colon.")
    return value


def items(name: str, default: Sequence[str] = ()) -> list[str]:
    """The parts of a comma separated list, without the empty ones."""
    return [part.strip() for part in text(name, ",".join(default)).split(",") if part.strip()]


def files(name: str) -> list[str]:
    """Comma separated paths of files that can be read."""
    paths = items(name)
    for path in paths:
        if not os.access(path, os.R_OK) or not Path(path).is_file():
            raise ImproperlyConfigured(f"{name}: there is no file {path} that can be read.")
    return paths


def conditions(name: str, kinds: Sequence[str]) -> list[tuple[str, str]]:
    """Comma separated `kind=value` pairs with these kinds."""
    found = []
    for item in items(name):
        kind, _, value = item.partition("=")
        if kind not in kinds or not value:
            raise ImproperlyConfigured(
                f"{name} must be a comma separated list of kind=value, "
                f"where kind is one of {', '.join(kinds)}."
            )
        found.append((kind, value))
    return found


def pairs(name: str, default: Sequence[str] = ()) -> dict[str, str]:
    """Comma separated `key=value` pairs, each key once."""
    found: dict[str, str] = {}
    for item in items(name, default):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not key or not equals or not value or key in found:
            raise ImproperlyConfigured(
                f"{name} must be a comma separated list of key=value, each key once."
            )
        found[key] = value
    return found


def credentials(name: str) -> dict[str, tuple[str, str]]:
    """User and password by name, one `name=user:password` a line, each name once."""
    found: dict[str, tuple[str, str]] = {}
    for line in filter(None, map(str.strip, text(name, "").splitlines())):
        key, _, pair = line.partition("=")
        user, colon, password = pair.strip().partition(":")
        if not key.strip() or not user or not colon or not password or key.strip() in found:
            raise ImproperlyConfigured(
                f"{name} must have one name=user:password on each line, each name once."
            )
        found[key.strip()] = (user, password)
    return found


def url(name: str, default: str | None = None, schemes: Sequence[str] = ("http", "https")) -> str:
    """An address with one of the schemes, without a slash at its end; or the default."""
    value = text(name, default)
    if value == default:
        return value
    if urlsplit(value).scheme not in schemes or "://" not in value:
        raise ImproperlyConfigured(
            f"{name} must be an address that starts with {' or '.join(f'{s}://' for s in schemes)}."
        )
    return value.rstrip("/")


def secret(name: str, path: Path, make: Callable[[], str] = lambda: token_urlsafe(64)) -> str:
    """The value of `name`; without one the content of `path`, made at its first use (mode 0600).

    Two processes that start at once get the same secret: the first link wins.
    """
    value = _read(name)
    if value is not None:
        return value
    if not path.exists():
        _create_secret(path, make)
    return path.read_text().strip()


def database(name: str) -> dict[str, object] | None:
    """Django's description of the PostgreSQL database at the address in `name`, None when unset."""
    value = _read(name)
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise ImproperlyConfigured(
            f"{name} must look like postgresql://user:password@host:5432/database."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": _port(name, value),
        "OPTIONS": _options(parts.query),
    }


def mail_server(name: str) -> dict[str, object] | None:
    """Host, port, user, password and kind of encryption of a mail server, None when unset."""
    value = _read(name)
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in MAIL_PORTS or not parts.hostname:
        raise ImproperlyConfigured(
            f"{name} must look like smtp://host:25, smtp+starttls://user:password@host:587 "
            "or smtps://user:password@host:465."
        )
    return {
        "host": unquote(parts.hostname),
        "port": int(_port(name, value) or MAIL_PORTS[parts.scheme]),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "starttls": parts.scheme == "smtp+starttls",
        "tls": parts.scheme == "smtps",
    }


def _port(name: str, value: str) -> str:
    try:
        return str(urlsplit(value).port or "")
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name} has a port that is not a number from 0 to 65535."
        ) from error


def _options(query: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return {unquote(key): unquote(value) for key, _, value in pairs}


def _read(name: str) -> str | None:
    value, path = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if value and path:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set. Set one of them.")
    if not path:
        return value or None
    try:
        return Path(path).read_text().strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(
            f"{name}_FILE names a file that cannot be read: {path}."
        ) from error


def _create_secret(path: Path, make: Callable[[], str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(descriptor, "w") as file:
        file.write(make())
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(temporary, path)
    os.unlink(temporary)
