"""What is published of the hub API, the guide and the OpenAPI schema, is what the portal does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from io import StringIO
from typing import Any

import pytest
import time_machine
import yaml
from django.conf import settings
from django.core.management import call_command
from django.urls import get_resolver
from jsonschema import Draft202012Validator

from sessions import refusals
from tests.sessions.launch.platform import NOW, Platform, session_key, signature

GUIDE = (settings.BASE_DIR / "docs" / "hub-api.md").read_text()
EXAMPLES = re.findall(
    r"```text\n(GET|POST) (\S+)\nwebhook-id: (\S+)\nwebhook-timestamp: (\d+)\n"
    r"webhook-signature: (\S+)\n(?:\n(.+)\n)?```",
    GUIDE,
)


@cache
def schema() -> dict[str, Any]:
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    document: dict[str, Any] = yaml.safe_load(out.getvalue())
    return document


def json_schema(node: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: `nullable` is another type there."""
    if isinstance(node, list):
        return [json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: json_schema(value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") else plain


def check(name: str, content: Any) -> None:
    components = json_schema(schema()["components"])
    whole = {"$ref": f"#/components/schemas/{name}", "components": components}
    Draft202012Validator(whole).validate(content)


@pytest.fixture
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example[0]))
def test_the_worked_signatures_of_the_guide_are_right(example: tuple[str, ...]) -> None:
    method, target, message, timestamp, expected, body = example
    [secret] = re.findall(r"^whsec_\S+$", GUIDE, re.MULTILINE)
    content = body.encode() if method == "POST" else f"{method} {target}".encode()
    with time_machine.travel(int(timestamp), tick=False):
        headers = signature(secret, content, message=message)
    assert headers["webhook-signature"] == expected


def test_the_guide_has_a_worked_signature_for_each_kind_of_content() -> None:
    assert [example[0] for example in EXAMPLES] == ["GET", "POST"]


def test_the_python_of_the_guide_signs_alike() -> None:
    [code] = re.findall(r"```python\n(.+?)```", GUIDE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the text is our own
    method, target, message, timestamp, expected, _ = EXAMPLES[0]
    [secret] = re.findall(r"^whsec_\S+$", GUIDE, re.MULTILINE)
    made = names["signature"](secret, message, int(timestamp), f"{method} {target}".encode())
    assert made == expected


def test_the_guide_names_every_code_of_a_refusal() -> None:
    assert {code for code in refusals.TITLES if f"`{code}`" not in GUIDE} == set()


def test_the_schema_has_every_address_of_the_hub_api() -> None:
    addresses = {
        "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", pattern)
        for pattern in _patterns(get_resolver().url_patterns)
        if pattern.startswith("api/v1/hubs/")
    }
    assert addresses == {path for path in schema()["paths"] if path.startswith("/api/v1/hubs/")}


def _patterns(entries: Any, before: str = "") -> Iterator[str]:
    for entry in entries:
        pattern = before + str(entry.pattern)
        if hasattr(entry, "url_patterns"):
            yield from _patterns(entry.url_patterns, pattern)
        else:
            yield pattern


@pytest.mark.usefixtures("frozen")
class TestAnswersAreAsTheSchemaSays:
    def test_launch_options(self, platform: Platform) -> None:
        platform.quota("4")
        platform.hub.images.get(name="base").allowed_groups.set([platform.galaxies])
        check("LaunchOptions", platform.send("GET", "launch-options?user=bob").json())

    def test_a_grant_and_its_session(self, platform: Platform) -> None:
        content = platform.ask().content() | {"session": str(session_key(1))}
        check("SessionRequest", content)
        check("SessionGrant", platform.send("POST", "sessions", content).json())
        check("SessionState", platform.send("GET", f"sessions/{session_key(1)}").json())

    def test_a_refusal(self, platform: Platform) -> None:
        platform.quota("0.75")
        content = platform.ask().content() | {"session": str(session_key(1))}
        check("Refusal", platform.send("POST", "sessions", content).json())

    def test_an_error(self, platform: Platform) -> None:
        check("Problem", platform.send("POST", "sessions", b"[]").json())
        check("Problem", platform.send("GET", "sessions/nothing").json())
