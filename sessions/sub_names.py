"""Who is meant of those who share an account: a name that the person types at the start."""

from __future__ import annotations

LENGTH = 64
WANTED = f"at most {LENGTH} characters, all printable"


class BadSubNameError(ValueError):
    """The name cannot be kept; the text says what would be right."""


def is_sub_name(text: str) -> bool:
    return len(text) <= LENGTH and text.isprintable()


def sub_name(text: str | None) -> str | None:
    """The name without spaces around it; None where there is none. Raises BadSubNameError."""
    name = (text or "").strip()
    if not is_sub_name(name):
        raise BadSubNameError(f"Who you are must be told in {WANTED}.")
    return name or None
