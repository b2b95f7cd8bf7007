"""What is free by size is what the scheduler would do: never more, never less."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.kubernetes.capacity.demands import Demand, quantity, requests
from sessions.kubernetes.capacity.looking import demand_of
from sessions.kubernetes.capacity.rooms import Room, free, rooms
from sessions.models import Size
from tests.kubernetes.capacity import worlds
from tests.kubernetes.capacity.worlds import World, server_of
from tests.kubernetes.fake import statuses
from tests.kubernetes.specs import ONE

OF_PORTAL = {"app.kubernetes.io/managed-by": "lsp-portal"}


@settings(max_examples=200, deadline=None)
@given(
    found=st.lists(worlds.nodes(), max_size=4),
    others=st.lists(worlds.workloads(), max_size=6),
    size=worlds.sizes(),
)
def test_as_many_servers_find_a_place_as_was_said(
    found: list[Any], others: list[Any], size: Size
) -> None:
    world = World.of(found)
    placed = [pod for spec in others if (pod := world.place({"spec": spec}))]
    said = free(demand_of(size, ONE), rooms(world.nodes(), placed))
    servers = [world.place(server_of(size)) for _ in range(said)]
    assert None not in servers
    assert world.place(server_of(size)) is None


def node(**status: Any) -> dict[str, Any]:
    there = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    ready = statuses.condition({}, "Ready", True)
    return {
        "metadata": {"name": "a"},
        "spec": {},
        "status": {"allocatable": there, **ready, **status},
    }


def pod(
    on: str = "a", *, phase: str = "Running", labels: Any = None, **spec: Any
) -> dict[str, Any]:
    asked = {"requests": {"cpu": "2", "memory": "1Gi"}}
    return {
        "metadata": {"name": "p", "labels": labels or {}},
        "spec": {"nodeName": on, "containers": [{"resources": asked}], **spec},
        "status": {"phase": phase},
    }


ONE_CPU = Demand({"cpu": Decimal(1), "memory": Decimal(2**30), "pods": Decimal(1)})


def test_pods_that_are_over_and_pods_elsewhere_take_nothing() -> None:
    pods = [pod(), pod(phase="Succeeded"), pod(phase="Failed"), pod(on="b"), pod(on="")]
    assert free(ONE_CPU, rooms([node()], pods)) == 2


def test_a_pod_that_is_being_deleted_still_takes_its_room() -> None:
    going = pod()
    going["metadata"]["deletionTimestamp"] = "2026-11-20T12:00:00Z"
    assert free(ONE_CPU, rooms([node()], [going])) == 2


def test_placeholders_make_room_and_servers_are_counted() -> None:
    placeholder = OF_PORTAL | {"app.kubernetes.io/component": "placeholder"}
    server = OF_PORTAL | {"app.kubernetes.io/component": "notebook"}
    pods = [pod(labels=placeholder), pod(labels=server)]
    [room] = rooms([node()], [*pods, pod(labels={"component": "singleuser-server"})])
    assert (room.placeholders, room.servers) == (1, 2)
    assert free(ONE_CPU, rooms([node()], pods)) == 2


@pytest.mark.parametrize("ready", [{"conditions": []}, statuses.condition({}, "Ready", False)])
def test_a_node_that_is_not_ready_has_no_room(ready: dict[str, Any]) -> None:
    assert free(ONE_CPU, rooms([node(**ready)], [])) == 0
    assert free(ONE_CPU, rooms([node()], []), without={"a"}) == 0
    assert free(ONE_CPU, rooms([node()], [])) == 4


def test_a_node_with_more_asked_for_than_it_has_does_not_take_from_others() -> None:
    full = Room.of({**node(), "metadata": {"name": "b"}})
    for _ in range(3):
        full.take(pod(on="b"))
    assert free(ONE_CPU, [full, Room.of(node())]) == 4


def asks(cpu: str, **more: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu}}, **more}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [asks("1"), asks("500m")]}, "1.5"),
        ({"containers": [asks("1")], "initContainers": [asks("3")]}, "3"),
        ({"containers": [asks("1")], "initContainers": [asks("2", restartPolicy="Always")]}, "3"),
        (
            {
                "containers": [asks("1")],
                "initContainers": [asks("2", restartPolicy="Always"), asks("4")],
            },
            "6",
        ),
        ({"containers": [asks("1")], "overhead": {"cpu": "250m"}}, "1.25"),
        ({"containers": [asks("1")], "resources": {"requests": {"cpu": "4"}}}, "4"),
        ({"containers": [{"resources": {"limits": {"cpu": "2"}}}, {}]}, "2"),
    ],
)
def test_a_pod_asks_for_what_the_scheduler_reserves(spec: dict[str, Any], cpu: str) -> None:
    assert requests(spec)["cpu"] == Decimal(cpu)


def test_a_quantity_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="much"):
        quantity("much")


@pytest.mark.parametrize(
    ("toleration", "is_borne"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "team", "operator": "Exists"}, True),
        ({"key": "team", "value": "ops"}, True),
        ({"key": "team", "operator": "Equal", "value": "ops", "effect": "NoExecute"}, True),
        ({"key": "team", "value": "dev"}, False),
        ({"key": "team", "operator": "Exists", "effect": "NoSchedule"}, False),
        ({"key": "team", "operator": "Gt", "value": "ops"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_a_taint_is_borne_as_the_cluster_has_it(toleration: dict[str, Any], is_borne: bool) -> None:
    assert Demand({}, tolerations=(toleration,)).bears([worlds.OTHER, worlds.SOFT]) is is_borne
