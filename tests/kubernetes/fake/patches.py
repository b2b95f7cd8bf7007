"""Merge patches (RFC 7396) and JSON patches (RFC 6902), without changing what they start from."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tests.kubernetes.fake.resources import ApiError

MERGES = ("application/merge-patch+json", "application/strategic-merge-patch+json")


def patched(content_type: str, before: Any, patch: Any) -> Any:
    if content_type == "application/json-patch+json":
        after = deepcopy(before)
        for step in patch:
            after = _step(after, step)
        return after
    if content_type in MERGES:
        return merged(before, patch)
    raise ApiError(415, "UnsupportedMediaType", f"{content_type} is not supported")


def merged(before: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    after = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = merged(after.get(key), value)
    return after


def _step(whole: Any, step: dict[str, Any]) -> Any:
    *way, last = (p.replace("~1", "/").replace("~0", "~") for p in step["path"].split("/")[1:])
    try:
        place = whole
        for key in way:
            place = place[int(key)] if isinstance(place, list) else place[key]
        _apply(step, place, last)
    except (KeyError, IndexError, ValueError) as error:
        message = f"the server rejected our request due to an error in our request: {error}"
        raise ApiError(422, "Invalid", message) from error
    return whole


def _apply(step: dict[str, Any], place: Any, last: str) -> None:
    key: Any = last
    if isinstance(place, list):
        key = len(place) if last == "-" else int(last)
    if step["op"] == "add" and isinstance(place, list):
        place.insert(key, step["value"])
    elif step["op"] == "add":
        place[key] = step["value"]
    elif step["op"] == "replace":
        place[key], _ = step["value"], place[key]
    elif step["op"] == "remove":
        del place[key]
    elif step["op"] != "test" or place[key] != step["value"]:
        raise ValueError(f"{step['op']} {step['path']}")
