"""The words in which usage and limits are counted: frozen values, exact integers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Self

MILLICORE_SECONDS_PER_CORE_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Resources:
    """What one session is given."""

    cpu_millicores: int
    memory_mib: int
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Resources times whole seconds; adds up without rounding."""

    millicore_seconds: int = 0
    mib_seconds: int = 0
    gpu_seconds: int = 0

    def __add__(self, other: Usage) -> Self:
        return type(self)(
            self.millicore_seconds + other.millicore_seconds,
            self.mib_seconds + other.mib_seconds,
            self.gpu_seconds + other.gpu_seconds,
        )

    @property
    def core_hours(self) -> Decimal:
        return core_hours(self.millicore_seconds)


def core_hours(millicore_seconds: int) -> Decimal:
    """Core-hours with exactly six decimal places, as the API, pages and files print them."""
    exact = Decimal(millicore_seconds) / MILLICORE_SECONDS_PER_CORE_HOUR
    return exact.quantize(Decimal("0.000001"), rounding=ROUND_HALF_EVEN)


def millicore_seconds(hours: Decimal) -> int:
    """The largest whole number of millicore-seconds within so many core-hours."""
    return int(hours * MILLICORE_SECONDS_PER_CORE_HOUR)
