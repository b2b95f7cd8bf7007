"""The clock, read once at the edge of each operation and passed on as an argument."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment in UTC, cut off to whole seconds, the unit of every record."""
    return datetime.now(UTC).replace(microsecond=0)
