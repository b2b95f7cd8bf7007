"""Whole documents compared with data files, which `pytest --update-test-data` writes anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Documents:
    """Compares what was produced with a file below tests/data."""

    update: bool

    def expect(self, name: str, text: str) -> None:
        """The text is exactly that of the file."""
        path = DATA / name
        if self.update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path} is missing; run pytest --update-test-data and look at it"
        assert text == path.read_text()

    def expect_json(self, name: str, content: object) -> None:
        """The content, indented and with sorted keys, is exactly that of the file."""
        options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
        self.expect(name, orjson.dumps(content, option=options).decode())
