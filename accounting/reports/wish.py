"""What a report is about: its dimensions, and what it is narrowed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

KINDS = ("hub", "image", "size", "institution")
DIMENSIONS = ("group", "user", *KINDS)


@dataclass(frozen=True, slots=True)
class Wish:
    """One or two dimensions, none for the total alone; what is None or missing is not narrowed.

    `kinds` has the key of a hub, and image, size and institution as sessions have them.
    """

    by: tuple[str, ...] = ()
    groups: tuple[int, ...] | None = None
    user: int | None = None
    kinds: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def asks_people(self) -> bool:
        return "user" in self.by or self.user is not None

    @property
    def asks_kinds(self) -> bool:
        return bool(self.kinds) or any(name in KINDS for name in self.by)

    @property
    def is_wide(self) -> bool:
        """Whether rows of all people are split further: as many as nobody reads on a page."""
        is_split = "user" in self.by and len(self.by) > 1
        return (is_split or (self.asks_people and self.asks_kinds)) and (
            self.groups is None and self.user is None
        )
