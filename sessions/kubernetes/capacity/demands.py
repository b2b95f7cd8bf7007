"""What a pod asks of a node, as the cluster's scheduler counts it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sessions.kubernetes.names import Manifest

Amounts = Mapping[str, Decimal]

NONE = Decimal(0)
BARRING = ("NoSchedule", "NoExecute")


@dataclass(frozen=True, slots=True)
class Demand:
    """What a pod takes of a node, the labels that the node must have, and the taints it bears."""

    amounts: Amounts
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, pod: Manifest) -> Demand:
        """That of the pod. Raises ValueError for a quantity that is none."""
        spec = pod["spec"]
        return cls(
            amounts=requests(spec),
            node_selector=spec.get("nodeSelector") or {},
            tolerations=tuple(spec.get("tolerations") or ()),
        )

    def bears(self, taints: Iterable[Mapping[str, Any]]) -> bool:
        """Whether none of these taints keeps the pod away."""
        barring = (taint for taint in taints if taint.get("effect") in BARRING)
        return all(any(_bears(one, taint) for one in self.tolerations) for taint in barring)


def requests(spec: Mapping[str, Any]) -> dict[str, Decimal]:
    """What the pod of that spec reserves: its containers together, or an init container with the
    sidecars before it where that is more; what is set for the whole pod goes before; the overhead
    of its runtime comes on top; and one of the node's places for pods.

    https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
    """
    running = _sum(map(_asked, spec.get("containers") or ()))
    sidecars: dict[str, Decimal] = {}
    most: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or ():
        together = _sum((sidecars, _asked(container)))
        if container.get("restartPolicy") == "Always":
            sidecars = together
        most = _larger(most, together)
    asked = _larger(_sum((running, sidecars)), most) | _asked(spec)
    return _sum((asked, amounts(spec.get("overhead") or {}), {"pods": Decimal(1)}))


def amounts(quantities: Mapping[str, object]) -> dict[str, Decimal]:
    """Quantities such as 500m, 2Gi and 1e3 as exact numbers. Raises ValueError."""
    return {name: quantity(str(text)) for name, text in quantities.items()}


@lru_cache(maxsize=4096)
def quantity(text: str) -> Decimal:
    """Raises ValueError for what is no quantity."""
    from kubernetes.utils.quantity import parse_quantity

    return Decimal(parse_quantity(text))  # type: ignore[no-untyped-call]


def _asked(of: Mapping[str, Any]) -> dict[str, Decimal]:
    """The requests of a container or a pod; a limit stands for one that is missing."""
    resources = of.get("resources") or {}
    return amounts((resources.get("limits") or {}) | (resources.get("requests") or {}))


def _sum(parts: Iterable[Amounts]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, NONE) + amount
    return total


def _larger(one: Amounts, other: Amounts) -> dict[str, Decimal]:
    names = one.keys() | other.keys()
    return {name: max(one.get(name, NONE), other.get(name, NONE)) for name in names}


def _bears(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    operator = toleration.get("operator") or "Equal"
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if operator == "Exists":
        return toleration.get("key") in (None, "", taint.get("key"))
    same_key = toleration.get("key") == taint.get("key")
    same_value = toleration.get("value", "") == taint.get("value", "")
    return operator == "Equal" and same_key and same_value
