"""Placeholders keep room for servers: as many as the sizes say, made again with a pause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from sessions.kubernetes import names
from sessions.kubernetes.capacity import keeping
from sessions.kubernetes.capacity.demands import Demand
from sessions.kubernetes.capacity.looking import demand_of, look
from sessions.kubernetes.capacity.placeholders import PAUSE, placeholder, plan
from sessions.models import ClusterNode, ClusterWatch, NodeDrain, Size, SizeRoom
from tests.kubernetes import schema
from tests.kubernetes.fake import FakeCluster
from tests.kubernetes.fake.resources import PODS
from tests.kubernetes.specs import ONE

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GPU_SIZE = {"node_selector": {"accelerator": "a100"}, "tolerations": [{"operator": "Exists"}]}


def size(**changed: Any) -> Size:
    values = {"name": "small", "cpu_millicores": 1000, "memory_mib": 2048}
    return Size(**{**values, **changed})


def made(of: Size, number: int = 1, **changed: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "namespace": "lsp", "image": "registry.example.org/pause:1",
        "priority_class": "lsp-placeholder", "gpu_resource": "nvidia.com/gpu",
    }  # fmt: skip
    return placeholder(of, number, **(values | changed))


def live(manifest: dict[str, Any], **status: Any) -> dict[str, Any]:
    """The pod as the cluster has it, made ten minutes ago."""
    about = manifest["metadata"] | {"uid": "u", "creationTimestamp": "2026-11-20T11:50:00Z"}
    return {**manifest, "metadata": about, "status": {"phase": "Running"} | status}


@pytest.mark.parametrize("of", [size(), size(gpus=2, **GPU_SIZE)])
def test_one_takes_the_room_of_one_server_where_that_could_be(of: Size) -> None:
    manifest = made(of)
    schema.check(manifest)
    assert Demand.of(manifest) == demand_of(of, ONE)
    assert manifest["metadata"]["labels"][names.COMPONENT_LABEL] != names.NOTEBOOK


def test_what_is_missing_is_made_and_what_is_there_stays() -> None:
    one, two = made(size()), made(size(), 2)
    found = plan([one, two], [live(one)], closed=(), at=NOW)
    assert (found.create, found.delete) == ((two,), ())


def test_what_is_not_wanted_or_has_changed_goes_and_the_name_is_free_again() -> None:
    old, more = live(made(size())), live(made(size(), 2))
    new = made(size(cpu_millicores=2000))
    found = plan([new], [old, more], closed=(), at=NOW)
    assert (found.create, found.delete) == ((), (old, more))
    assert plan([new], [], closed=(), at=NOW).create == (new,)


def test_one_on_a_node_that_is_emptied_goes_and_the_next_keeps_away() -> None:
    there = live(made(size()))
    there["spec"] = there["spec"] | {"nodeName": "node-1"}
    wanted = made(size(), avoided=["node-1"])
    assert plan([wanted], [there], closed=["node-1"], at=NOW).delete == (there,)
    assert plan([wanted], [there], closed=["node-2"], at=NOW).delete == ()
    schema.check(wanted)


def test_one_that_was_put_out_is_made_again_after_a_pause() -> None:
    wanted = made(size())
    failed = live(wanted, phase="Failed", reason="Evicted")
    at = datetime.fromisoformat(failed["metadata"]["creationTimestamp"]) + PAUSE
    early = plan([wanted], [failed], closed=(), at=at - timedelta(seconds=1))
    assert (early.create, early.delete) == ((), ())
    assert plan([wanted], [failed], closed=(), at=at).delete == (failed,)


def test_one_that_goes_already_is_not_deleted_again() -> None:
    going = live(made(size()))
    going["metadata"]["deletionTimestamp"] = "2026-11-20T12:00:00Z"
    assert plan([], [going], closed=(), at=NOW).delete == ()


@pytest.fixture
def kept(looks: Settings) -> None:
    looks.KUBERNETES_PLACEHOLDER_NAMESPACE = "lsp"
    Size.objects.filter(name="large").update(placeholders=2)


def test_the_cluster_has_as_many_as_wanted_and_their_room_is_free(
    fake: FakeCluster, kept: None
) -> None:
    """With the rights of rbac.yaml, and once however often it runs."""
    fake.add_node("a", cpu="8", memory="32Gi")
    assert keeping.keep(at=NOW) == 2
    assert keeping.keep(at=NOW) == 0
    there = {pod["metadata"]["name"] for pod in fake.pods("lsp")}
    assert there == {"lsp-placeholder-large-1", "lsp-placeholder-large-2"}
    fake.wait_for(lambda: all(pod["spec"].get("nodeName") for pod in fake.pods("lsp")))
    look(at=NOW)
    assert SizeRoom.objects.get(size__name="large").free == 2
    node = ClusterNode.objects.get()
    assert (node.placeholders, node.servers, node.cpu_asked) == (2, 0, 0)
    Size.objects.update(placeholders=0)
    keeping.keep(at=NOW)
    fake.wait_for(lambda: not fake.pods("lsp"))


def test_one_whose_place_a_server_took_is_made_again(fake: FakeCluster, kept: None) -> None:
    fake.add_node("a")
    keeping.keep(at=NOW)
    fake.store.remove(PODS, "lsp", "lsp-placeholder-large-1")  # as the scheduler preempts
    assert keeping.keep(at=NOW) == 1
    NodeDrain.objects.create(node="a", started_at=NOW)
    keeping.keep(at=NOW)
    fake.wait_for(lambda: not fake.pods("lsp"))
    assert keeping.keep(at=NOW) == 2
    fake.wait_for(lambda: all(pod["status"].get("conditions") for pod in fake.pods("lsp")))
    assert not any(pod["spec"].get("nodeName") for pod in fake.pods("lsp"))


def test_what_goes_wrong_is_kept_for_administrators(fake: FakeCluster, kept: None) -> None:
    fake.fault("error", times=9)
    assert keeping.keep(at=NOW) == 0
    assert ClusterWatch.objects.get().trouble
    fake.clear_faults()
    keeping.keep(at=NOW)
    watch = ClusterWatch.objects.get()
    assert (watch.source, watch.trouble, watch.heard_at) == ("Placeholders in lsp", "", NOW)


def test_without_a_namespace_the_cluster_is_not_asked(fake: FakeCluster, looks: Settings) -> None:
    assert keeping.keep(at=NOW) == 0
    assert fake.recorded() == []
