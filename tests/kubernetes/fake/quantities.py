"""Quantities such as 500m, 2Gi, 1e3, as exact fractions."""

from __future__ import annotations

import re
from fractions import Fraction

from tests.kubernetes.fake.resources import Object

BINARY: dict[str, Fraction | int] = {f"{letter}i": 1024**n for n, letter in enumerate("KMGTPE", 1)}
DECIMAL: dict[str, Fraction | int] = {
    "m": Fraction(1, 1000),
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
}
UNITS = {unit: Fraction(size) for unit, size in (BINARY | DECIMAL).items()}


def quantity(text: str | int) -> Fraction:
    """Raises ValueError on what is no quantity."""
    match = re.fullmatch(r"([0-9.]+(?:[eE][0-9]+)?)([A-Za-z]*)", str(text))
    if match is None or match[2] not in UNITS:
        raise ValueError(f"{text} is no quantity")
    return Fraction(match[1]) * UNITS[match[2]]


def text(amount: Fraction) -> str:
    return str(amount) if amount.denominator == 1 else f"{int(amount * 1000)}m"


def pod_total(pod: Object, side: str) -> dict[str, Fraction]:
    """What a pod asks for (`requests`) or may take (`limits`): its containers' sum, or the
    largest init container where that is more.
    """
    spec, total = pod["spec"], dict[str, Fraction]()
    for container in spec["containers"]:
        for name, amount in _amounts(container, side).items():
            total[name] = total.get(name, Fraction()) + amount
    for container in spec.get("initContainers", []):
        for name, amount in _amounts(container, side).items():
            total[name] = max(total.get(name, Fraction()), amount)
    return total


def _amounts(container: Object, side: str) -> dict[str, Fraction]:
    resources = container.get("resources") or {}
    given = resources.get(side) or {}
    if side == "requests":
        given = (resources.get("limits") or {}) | given
    return {name: quantity(amount) for name, amount in given.items()}
