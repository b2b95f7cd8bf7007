"""Times as the cluster writes them."""

from __future__ import annotations

from datetime import datetime


def moment(text: str | None) -> datetime | None:
    """A time of the cluster, as a whole second."""
    return datetime.fromisoformat(text).replace(microsecond=0) if text else None
