"""A hub as a resource of Open XDMoD: what `resources.json` and `resource_specs.json` say of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from accounting.exports.xdmod_tables.rules import label


class BadCapacityError(ValueError):
    """Numbers that no machine park has; the text says what would be right."""

    code = "bad_capacity"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What stands behind a hub: nodes, all their CPUs and GPUs, since a day."""

    nodes: int
    cpus: int
    gpus: int
    since: date

    def __post_init__(self) -> None:
        if self.nodes < 1:
            raise BadCapacityError("A hub has at least 1 node.")
        if self.cpus < self.nodes:
            raise BadCapacityError(f"{self.nodes} nodes have at least {self.nodes} CPUs in all.")
        if self.gpus < 0:
            raise BadCapacityError("A hub has 0 GPUs or more.")


def resource(name: str, title: str) -> dict[str, Any]:
    """The entry of `resources.json`. The group pays, so it stands in the column of the PI."""
    return {
        "resource": name,
        "name": label(title, otherwise=name),
        "resource_type": "HPC",
        "resource_allocation_type": "CPU",
        "timezone": "UTC",
        "shared_jobs": True,
        "pi_column": "account_name",
    }


def specifications(name: str, capacity: Capacity) -> dict[str, Any]:
    """The entry of `resource_specs.json`; processors per node are rounded up."""
    with_gpus = min(capacity.nodes, capacity.gpus)
    return {
        "resource": name,
        "start_date": capacity.since.isoformat(),
        "cpu_node_count": capacity.nodes,
        "cpu_processor_count": capacity.cpus,
        "cpu_ppn": -(-capacity.cpus // capacity.nodes),
        "gpu_node_count": with_gpus,
        "gpu_processor_count": capacity.gpus,
        "gpu_ppn": -(-capacity.gpus // with_gpus) if with_gpus else 0,
    }
