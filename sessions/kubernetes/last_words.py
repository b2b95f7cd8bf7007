"""What a container wrote last, for people. Pure.

With `terminationMessagePolicy: FallbackToLogsOnError` the cluster keeps the end of a failed
container's log, at most 80 lines and 2 KiB of it. That is anybody's text: control characters and
what looks like a secret are taken out, and only a few short lines are shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LINES = 3
LONGEST_LINE = 160  # characters
ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)", re.DOTALL)
SECRET = re.compile(
    r"(\b\w*(?:token|secret|passw(?:or)?d|api_?key)\w*[\"']?\s*[=:]\s*[\"']?|\bbearer\s+)[^\s\"'&]+",
    re.IGNORECASE,
)


def last_words(ended: Mapping[str, Any]) -> str:
    """The last lines in one, ` / ` between them; empty where the container left none."""
    text = ESCAPE.sub("", str(ended.get("message") or ""))
    lines = filter(None, map(_plain, text.splitlines()))
    return " / ".join([line[:LONGEST_LINE] for line in lines][-LINES:])


def _plain(line: str) -> str:
    """Without what cannot be seen or must not be; columns become single spaces."""
    seen = "".join(each if each.isprintable() else " " for each in line)
    return SECRET.sub(r"\1…", " ".join(seen.split()))
