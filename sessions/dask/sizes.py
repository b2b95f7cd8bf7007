"""How large a Dask cluster shall be, as somebody asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

NAMES = ("workers", "minimum", "maximum")
EITHER = "Say either “workers”, or “minimum” and “maximum” for a cluster that follows the work."


class BadSizeError(ValueError):
    """It makes no sense; the text says why, and what would."""


@dataclass(frozen=True, slots=True)
class DaskSize:
    """A number of workers, or with `maximum` the range in which it follows the work."""

    workers: int
    minimum: int | None = None
    maximum: int | None = None

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Self | None:
        """From numbers by name; None where no size was said. Raises BadSizeError."""
        workers, minimum, maximum = (content.get(name) for name in NAMES)
        if workers is None and minimum is None and maximum is None:
            return None
        if workers is not None and minimum is None and maximum is None:
            return cls(workers)
        if workers is not None or minimum is None or maximum is None:
            raise BadSizeError(EITHER)
        if minimum > maximum:
            raise BadSizeError(f"minimum: {minimum} is more than the maximum, {maximum}.")
        return cls(minimum, minimum, maximum)

    @property
    def most(self) -> int:
        """Workers that it may have at once."""
        return self.workers if self.maximum is None else self.maximum
