"""Requests that are wrong in themselves get a clear 400, 401, 404, 405 or 413."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import time_machine

from sessions.models import Session
from tests.sessions.launch.platform import NOW, Platform, session_key

pytestmark = pytest.mark.usefixtures("frozen")


@pytest.fixture
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


GOOD = {
    "session": str(session_key(1)),
    "user": "bob",
    "server": "",
    "actor": "bob",
    "group": "transients",
    "image": "base",
    "size": "small",
}


@pytest.mark.parametrize("field", ["session", "user", "server", "actor"])
@pytest.mark.parametrize("gone", ["left out", "null"])
def test_a_field_that_is_missing_is_named(platform: Platform, field: str, gone: str) -> None:
    content: dict[str, Any] = dict(GOOD)
    if gone == "null":
        content[field] = None
    else:
        del content[field]
    answer = platform.send("POST", "sessions", content)
    assert answer.status_code == 400
    assert answer.json()["code"] == "missing_field"
    assert answer.json()["detail"].startswith(f"{field}:")


@pytest.mark.parametrize("field", ["user", "server", "actor", "group", "image", "size"])
@pytest.mark.parametrize(
    "value", [1, 1.5, True, [], {}, ["x"], "x" * 1025, "a\0b", 10**30], ids=lambda v: repr(v)[:12]
)
def test_a_field_of_the_wrong_shape_is_named(platform: Platform, field: str, value: object) -> None:
    body = orjson.dumps(GOOD | {field: "@"}).replace(b'"@"', _json(value))
    answer = platform.send("POST", "sessions", body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_value"
    assert answer.json()["detail"].startswith(f"{field}:")


@pytest.mark.parametrize(
    "value",
    ["", "1", "not-a-uuid", "6ba7b810-9dad-41d1-80b4-00c04fd430c8\n", "{" + "0" * 32 + "}", 7],
)
def test_a_session_that_is_no_uuid_is_named(platform: Platform, value: object) -> None:
    answer = platform.send("POST", "sessions", GOOD | {"session": value})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_value")
    assert answer.json()["detail"].startswith("session:")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe",
        b'{"session": NaN}',
        b"[" * 100_000,
        b'{"user": "\\ud800"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_object_of_json_is_malformed(platform: Platform, body: bytes) -> None:
    answer = platform.send("POST", "sessions", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_unknown_fields_are_ignored_and_the_longest_string_is_taken(platform: Platform) -> None:
    content = GOOD | {"server": "é" * 1024, "colour": {"deep": [1, 2, None]}, "size_2": 10**17}
    answer = platform.send("POST", "sessions", content)
    assert answer.status_code == 201
    assert Session.objects.get().server == "é" * 1024


def test_what_was_left_out_may_be_null(platform: Platform) -> None:
    answer = platform.send("POST", "sessions", GOOD | {"image": None})
    assert (answer.status_code, answer.json()["image"]) == (201, "base")


def test_a_body_over_a_mebibyte_is_too_large_before_anything_else(platform: Platform) -> None:
    answer = platform.client.generic("POST", "/api/v1/hubs/demo/sessions", b" " * (2**20 + 1))
    assert answer.status_code == 413


@pytest.mark.parametrize("hub", ["demo", "no-such-hub", "NOT%20A%20NAME"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "launch-options?user=bob"),
        ("POST", "sessions"),
        ("GET", f"sessions/{session_key(1)}"),
        ("DELETE", f"sessions/{session_key(1)}"),
        ("GET", "sessions/not-a-uuid"),
    ],
)
def test_nobody_gets_an_answer_without_a_signature(
    platform: Platform, hub: str, method: str, path: str
) -> None:
    answer = platform.client.generic(method, f"/api/v1/hubs/{hub}/{path}", b"{")
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"


def test_a_signature_for_one_query_does_not_serve_for_another(platform: Platform) -> None:
    good = platform.send("GET", "launch-options?user=bob")
    assert good.status_code == 200
    assert good.wsgi_request is not None
    headers = {
        name: good.wsgi_request.headers[name]
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    }
    answer = platform.client.get("/api/v1/hubs/demo/launch-options?user=alice", headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "missing_field"),
        ("?user=a%00b", "bad_value"),
        (f"?user={'x' * 1025}", "bad_value"),
    ],
    ids=["none", "NUL", "long"],
)
def test_launch_options_need_a_user(platform: Platform, query: str, code: str) -> None:
    answer = platform.send("GET", f"launch-options{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["detail"].startswith("user:")


@pytest.mark.parametrize("name", ["zoe", "", "Bob", "%F0%9F%98%80", "%FF"])
def test_launch_options_of_nobody_are_not_found(platform: Platform, name: str) -> None:
    answer = platform.send("GET", f"launch-options?user={name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_user")


@pytest.mark.parametrize("session", ["not-a-uuid", str(session_key(9)), "%00", "x" * 2000])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_session_that_is_not_there_is_not_found(
    platform: Platform, method: str, session: str
) -> None:
    answer = platform.send(method, f"sessions/{session}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "", "9" * 30])
def test_a_cursor_that_no_answer_gave_is_refused(platform: Platform, after: str) -> None:
    platform.send("POST", "sessions", GOOD)
    answer = platform.send("GET", f"sessions/{session_key(1)}?after={after}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_value")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "launch-options"), ("GET", "sessions"), ("PUT", f"sessions/{session_key(1)}")],
)
def test_other_methods_are_not_allowed(platform: Platform, method: str, path: str) -> None:
    answer = platform.send(method, path)
    assert answer.status_code == 405
    assert answer["Content-Type"] == "application/problem+json"


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
