"""What is told about a server on its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that happened to a server, in words for the person who waits.

    `is_final`: nothing will come of this start; otherwise it is a step, or may pass by itself.
    `key` makes it the same thing when it is seen again; `at` is None where nobody says when.
    """

    code: str
    message: str
    advice: str = ""
    is_final: bool = False
    key: str = ""
    at: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        return (self.key or self.code)[:120]

    @property
    def text(self) -> str:
        """All of it in one line."""
        return f"{self.message} {self.advice}".strip()
