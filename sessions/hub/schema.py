"""The hub API in the OpenAPI schema of the portal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

DOCUMENT = Path(__file__).with_name("openapi.yaml")


def add_hub_api(result: dict[str, Any], **context: Any) -> dict[str, Any]:
    """A hook of drf-spectacular: join the hub's paths and components to the generated ones."""
    document = yaml.safe_load(DOCUMENT.read_text())
    result.setdefault("paths", {}).update(document["paths"])
    components = result.setdefault("components", {})
    for kind, entries in document["components"].items():
        components.setdefault(kind, {}).update(entries)
    return result
