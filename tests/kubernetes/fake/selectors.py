"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.kubernetes.fake.resources import ApiError, Object

Test = Callable[[Object], bool]
SET = re.compile(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)")


def selected(labels: str, fields: str) -> Test:
    """Whether an object has these labels and fields. Raises ApiError on nonsense."""
    tests = [_label_test(part) for part in _parts(labels)]
    tests += [_field_test(part) for part in _parts(fields)]
    return lambda thing: all(test(thing) for test in tests)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _label_test(part: str) -> Test:
    if match := SET.fullmatch(part):
        key, way, values = match[1], match[2], {v.strip() for v in match[3].split(",")}
        return lambda thing: (_label(thing, key) in values) == (way == "in")
    key, operator, value = _split(part)
    if operator == "=":
        return lambda thing: _label(thing, key) == value
    if operator == "!=":
        return lambda thing: _label(thing, key) != value
    if part.startswith("!"):
        return lambda thing: _label(thing, part[1:]) is None
    return lambda thing: _label(thing, part) is not None


def _field_test(part: str) -> Test:
    key, operator, value = _split(part)
    if not operator:
        raise ApiError(400, "BadRequest", f"invalid field selector: {part}")
    return lambda thing: (_field(thing, key) == value) == (operator == "=")


def _split(part: str) -> tuple[str, str, str]:
    if match := re.fullmatch(r"([^!=\s]+)\s*(==|=|!=)\s*(\S*)", part):
        return match[1], "!=" if match[2] == "!=" else "=", match[3]
    return part, "", ""


def _label(thing: Object, key: str) -> str | None:
    labels: dict[str, str] = thing["metadata"].get("labels") or {}
    return labels.get(key)


def _field(thing: Object, path: str) -> str:
    value: Any = thing
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else str(value)
