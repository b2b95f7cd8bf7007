"""What hubs ask about launches, read from requests. Whatever is wrong with it is a Problem 400."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import orjson

from lsp_portal.lib.problems import Problem
from sessions.driving.asking import StartAsk
from sessions.grants import Ask
from sessions.sub_names import WANTED, BadSubNameError, sub_name

MAX_LENGTH = 1024  # characters of a string
MAX_ARGUMENTS = 100
MAX_VALUE = 65536  # characters of one variable
MAX_ENVIRONMENT = 500_000  # bytes; the cluster keeps at most 1 MiB in one place
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,255}")
UUID_PATTERN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE)


def read_ask(body: bytes) -> Ask:
    """The wish in the body of a POST."""
    fields = _object(body)
    return Ask(
        session=_session(_required(fields, "session")),
        user=_text(fields, "user"),
        server=_text(fields, "server"),
        actor=_text(fields, "actor"),
        group=_optional_text(fields, "group"),
        image=_optional_text(fields, "image"),
        size=_optional_text(fields, "size"),
        sub_name=_sub_name(fields),
        rescue=_rescue(fields),
    )


def read_start(body: bytes) -> StartAsk:
    """What a hub wants to run for a session, in the body of a POST."""
    fields = _object(body)
    return StartAsk(
        command=_command(_required(fields, "command")),
        environment=_environment(_required(fields, "environment")),
        port=_port(_required(fields, "port")),
    )


def read_user(value: str | None) -> str:
    """The hub's user name in a query."""
    if value is None:
        raise _missing("user")
    return _checked_text("user", value)


def read_cursor(value: str | None) -> int:
    """The cursor `after` in a query; 0 where there is none."""
    if value is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise _bad("after", "must be a number that an earlier answer gave as `seq`")
    return int(value)


def session_id(text: str) -> UUID | None:
    """The session id that a text stands for; None for anything else."""
    return UUID(text) if UUID_PATTERN.fullmatch(text) else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _bad_body("malformed", f"The body is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise _bad_body("malformed", "The body must be a JSON object.")
    return content


def _session(value: object) -> UUID:
    session = session_id(value) if isinstance(value, str) else None
    if session is None:
        raise _bad("session", "must be a UUID like 6ba7b810-9dad-41d1-80b4-00c04fd430c8")
    return session


def _required(fields: dict[str, Any], name: str) -> object:
    if fields.get(name) is None:
        raise _missing(name)
    return fields[name]


def _text(fields: dict[str, Any], name: str) -> str:
    return _checked_text(name, _required(fields, name))


def _optional_text(fields: dict[str, Any], name: str) -> str | None:
    return None if fields.get(name) is None else _text(fields, name)


def _sub_name(fields: dict[str, Any]) -> str | None:
    try:
        return sub_name(_optional_text(fields, "sub_name"))
    except BadSubNameError as error:
        raise _bad("sub_name", f"must have {WANTED}") from error


def _rescue(fields: dict[str, Any]) -> bool:
    """A rescue session has nothing to choose: what is named with it would be dropped silently."""
    value = fields.get("rescue")
    if not isinstance(value, bool | None):
        raise _bad("rescue", "must be true or false")
    chosen = [name for name in ("group", "image", "size") if fields.get(name) is not None]
    if value and chosen:
        raise _bad(chosen[0], "must be left out, for the portal chooses what a rescue session is")
    return bool(value)


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ARGUMENTS:
        raise _bad("command", f"must be a list of 1 to {MAX_ARGUMENTS} strings")
    return tuple(_checked_text(f"command[{place}]", each) for place, each in enumerate(value))


def _environment(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _bad("environment", "must be an object of strings")
    for name, text in value.items():
        if not VARIABLE.fullmatch(name):
            raise _bad("environment", f"“{name[:80]}” is not the name of a variable")
        _checked_text(f"environment.{name}", text, longest=MAX_VALUE)
    if sum(len(name) + len(text.encode()) for name, text in value.items()) > MAX_ENVIRONMENT:
        raise _bad("environment", f"must have at most {MAX_ENVIRONMENT} bytes in all")
    return value


def _port(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1024 <= value <= 65535:
        raise _bad("port", "must be a number from 1024 to 65535")
    return value


def _checked_text(name: str, value: object, *, longest: int = MAX_LENGTH) -> str:
    if not isinstance(value, str):
        raise _bad(name, "must be a string")
    if len(value) > longest:
        raise _bad(name, f"must have at most {longest} characters, not {len(value)}")
    if "\0" in value:
        raise _bad(name, "must not contain NUL")
    return value


def _missing(name: str) -> Problem:
    return _bad_body("missing_field", f"{name}: is missing.")


def _bad(name: str, what: str) -> Problem:
    return _bad_body("bad_value", f"{name}: {what}.")


def _bad_body(code: str, detail: str) -> Problem:
    return Problem(400, code, "The request cannot be understood", detail)
