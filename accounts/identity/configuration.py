"""The list of identity providers that an administrator wrote; whatever is wrong stops the start.

Messages name the entry and the field, and never show a value: it may be a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from accounts.identity.presets import PRESETS
from accounts.identity.providers import Provider

SETTING = "IDENTITY_PROVIDERS"
FIELDS = {field.name for field in fields(Provider)} | {"client_secret_file"}
REQUIRED = [field.name for field in fields(Provider) if field.default is MISSING]
LISTS = {field.name for field in fields(Provider) if isinstance(field.default, tuple)}
CHOICES: dict[str, Sequence[str]] = {
    "kind": tuple(PRESETS),
    "registration": ("open", "approval", "invitation", "claim", ""),
}
MAY_BE_EMPTY = {"groups_claim", "uid_claim", "registration", "api_url"}
NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")


def configured(text: str) -> list[dict[str, Any]]:
    """The entries of the JSON list, completed by the presets of their kinds."""
    try:
        found = json.loads(text or "[]")
    except ValueError as error:
        raise ImproperlyConfigured(f"{SETTING} is not JSON: {error}.") from error
    if not isinstance(found, list):
        raise ImproperlyConfigured(f"{SETTING} must be a list: [{{...}}, {{...}}].")
    return [_entry(number, raw) for number, raw in enumerate(found, 1)]


def ensure_distinct(entries: list[dict[str, Any]]) -> None:
    """Raises ImproperlyConfigured when two providers have one name."""
    names = [entry["name"] for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise ImproperlyConfigured(f"{SETTING}: two providers have the name “{name}”.")


def _entry(number: int, raw: object) -> dict[str, Any]:
    where = f"{SETTING}, entry {number}"
    if not isinstance(raw, dict):
        raise ImproperlyConfigured(f"{where} must be an object: {{...}}.")
    if isinstance(raw.get("name"), str):
        where += f" ({raw['name'][:30]})"
    _check_fields(where, raw)
    kind = raw.get("kind", "oidc")
    entry = {**PRESETS[kind], **raw, "kind": kind}
    if "client_secret_file" in entry:
        entry["client_secret"] = _secret(where, entry.pop("client_secret_file"))
    for name in REQUIRED:
        if name not in entry:
            raise ImproperlyConfigured(f"{where}: {name} is missing.")
    return {name: tuple(value) if name in LISTS else value for name, value in entry.items()}


def _check_fields(where: str, raw: dict[str, Any]) -> None:
    for name, value in raw.items():
        problem = _problem(name, value)
        if problem:
            raise ImproperlyConfigured(f"{where}: {name} {problem}.")
    if "client_secret" in raw and "client_secret_file" in raw:
        raise ImproperlyConfigured(
            f"{where}: client_secret and client_secret_file are both given. Give one of them."
        )


def _problem(name: str, value: object) -> str:
    """What is wrong with the field; empty when nothing is."""
    if name not in FIELDS:
        return f"is unknown; there are {', '.join(sorted(FIELDS))}"
    if name in LISTS:
        texts = isinstance(value, list) and all(isinstance(v, str) and v for v in value)
        return "" if texts else "must be a list of texts"
    if not isinstance(value, str) or not (value or name in MAY_BE_EMPTY):
        return "must be a text that is not empty"
    if value not in CHOICES.get(name, (value,)):
        return f"must be one of {', '.join(filter(None, CHOICES[name]))}"
    if name == "name" and not NAME.fullmatch(value):
        return "must be at most 30 characters: a-z, 0-9 and hyphens, first a letter"
    if name in ("issuer", "api_url") and value and not _is_address(value):
        return "must be an address that starts with https:// or http://, without a slash at its end"
    return ""


def _is_address(value: str) -> bool:
    parts = urlsplit(value)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not value.endswith("/")


def _secret(where: str, path: str) -> str:
    try:
        secret = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(
            f"{where}: client_secret_file cannot be read: {path}."
        ) from error
    if not secret:
        raise ImproperlyConfigured(f"{where}: client_secret_file is empty: {path}.")
    return secret
