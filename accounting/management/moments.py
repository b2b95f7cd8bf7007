"""Moments as options of commands."""

from __future__ import annotations

from datetime import UTC, datetime

from django.core.management.base import CommandError


def moment(option: str, text: str | None) -> datetime | None:
    """The moment that an option names, UTC where no zone is given. Raises CommandError."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{option} {text} is not a time like 2026-05-01T00:00:00Z.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
