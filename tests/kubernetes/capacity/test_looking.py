"""What a look at the cluster leaves in the rows, and what people then read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_django import Settings

from sessions.kubernetes.capacity.looking import look
from sessions.models import ClusterNode, ClusterWatch, Hub, NodeDrain, Size, SizeRoom
from sessions.options import launch_options
from sessions.rooms import SOURCE, STALE_AFTER, Rooms
from tests.kubernetes.conftest import ROLES
from tests.kubernetes.driving.conftest import story  # noqa: F401 - a fixture
from tests.kubernetes.driving.story import Story
from tests.kubernetes.fake import FakeCluster
from tests.kubernetes.fake.resources import PODS
from tests.lsp_portal.test_metrics import told
from tests.sessions.launch.platform import NOW, make_platform


def pod(namespace: str, *, cpu: str) -> dict[str, Any]:
    asked = {"requests": {"cpu": cpu}}
    return {
        "metadata": {"name": "other", "namespace": namespace},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": asked}]},
        "status": {"phase": "Pending"},
    }


def free() -> dict[str, int]:
    """By size: of 1 CPU with 2 GiB, and of 4 CPU with 8 GiB."""
    rooms = SizeRoom.objects.filter(size__name__in=("small", "large"))
    return dict(rooms.values_list("size__name", "free"))


def test_a_look_notes_nodes_and_room_by_size(fake: FakeCluster, looks: Settings) -> None:
    fake.add_node("a", cpu="4", memory="16Gi")
    fake.add_node("b", cpu="3", memory="16Gi")
    fake.add_node("gpu", gpus=4, taints=[{"key": "gpu", "effect": "NoSchedule"}])
    assert look(at=NOW) == 3
    assert free() == {"small": 7, "large": 1}
    states = {node.name: (node.state, node.message) for node in ClusterNode.objects.all()}
    assert states == {
        "a": ("open", ""),
        "b": ("open", ""),
        "gpu": ("reserved", "No size bears its taints (gpu:NoSchedule)."),
    }
    node = ClusterNode.objects.get(name="gpu")
    assert (node.cpu_millicores, node.memory_mib, node.gpus) == (64_000, 262_144, 4)
    watch = ClusterWatch.objects.get()
    assert (watch.source, watch.heard_at, watch.listed, watch.trouble) == (SOURCE, NOW, 3, "")


def test_what_others_run_takes_room_and_nodes_that_go_are_forgotten(
    fake: FakeCluster, looks: Settings
) -> None:
    fake.add_node("a", cpu="4", memory="16Gi")
    ClusterNode.objects.create(
        name="gone", state="open", cpu_millicores=1, cpu_asked=0, memory_mib=1, memory_asked=0,
        gpus=0, gpus_asked=0, servers=0, placeholders=0, seen_at=NOW,
    )  # fmt: skip
    fake.store.create(PODS, "kube-system", pod("kube-system", cpu="1500m"))
    fake.wait_for(lambda: fake.pods("kube-system")[0]["spec"].get("nodeName"))
    look(at=NOW)
    assert free() == {"small": 2, "large": 0}
    [node] = ClusterNode.objects.all()
    assert (node.cpu_asked, node.servers) == (1500, 0)


def test_a_cluster_that_does_not_answer_leaves_what_was_known_and_says_so(
    fake: FakeCluster, looks: Settings
) -> None:
    fake.add_node("a", cpu="4")
    look(at=NOW)
    fake.fault("error", times=9)
    assert look(at=NOW + timedelta(minutes=1)) == 0
    watch = ClusterWatch.objects.get()
    assert watch.trouble
    assert watch.heard_at == NOW
    assert free() == {"small": 4, "large": 1}


def test_without_the_right_it_says_which_file_gives_it(looks: Settings, tmp_path: Path) -> None:
    with FakeCluster(roles=ROLES) as fake:
        looks.KUBECONFIG = fake.kubeconfig(tmp_path / "other")
        assert look(at=NOW) == 0
    assert "deploy/kubernetes/capacity.yaml" in ClusterWatch.objects.get().trouble
    assert free() == {}


def test_where_nobody_wants_to_know_the_cluster_is_not_asked(
    fake: FakeCluster, looks: Settings
) -> None:
    looks.KUBERNETES_CAPACITY = False
    assert look(at=NOW) == 0
    assert fake.recorded() == []


def test_what_is_told_ages() -> None:
    rooms = Rooms(NOW, True, {"small": 3, "large": 0}, NOW - STALE_AFTER)
    assert rooms.of_size("small") == 3
    assert rooms.of_size("new") is None
    assert rooms.age_words().startswith("Free room as the cluster was seen 3 min 00 s ago")
    later = Rooms(NOW, True, {"small": 3}, NOW - STALE_AFTER - timedelta(seconds=1))
    assert later.of_size("small") is None
    assert later.words("small", []) == ""
    assert later.age_words() == (
        "How much room there is now is not known: the cluster was last seen at "
        "1 May 2026, 07:56 UTC."
    )
    assert Rooms(NOW, True).age_words() == "How much room the cluster has is not known yet."
    assert Rooms(NOW).age_words() == ""


def options(hub: Hub, *, at: datetime = NOW) -> dict[str, Any]:
    return launch_options(hub, user_name="bob", at=at)


def test_forms_say_what_is_free_beside_each_size(looks: Settings) -> None:
    platform = make_platform()
    rooms = {"tiny": 9, "small": 3, "large": 0}
    for size in Size.objects.all():
        SizeRoom.objects.create(size=size, free=rooms.get(size.name, 0), seen_at=NOW)
    told = {
        size["name"]: (size["free_now"], size["room"]) for size in options(platform.hub)["sizes"]
    }
    assert set(told.values()) == {(None, None)}  # the hub starts its servers itself
    Hub.objects.update(mode=Hub.Mode.DRIVE)
    platform.hub.refresh_from_db()
    found = options(platform.hub)
    told = {size["name"]: (size["free_now"], size["room"]) for size in found["sizes"]}
    assert told["small"] == (3, "3 free now")
    assert told["large"] == (0, "no room now; Tiny and Small would start at once")
    assert found["room"] == "Free room as the cluster was seen 0 s ago; somebody may be faster."
    late = options(platform.hub, at=NOW + timedelta(minutes=10))
    assert {size["free_now"] for size in late["sizes"]} == {None}
    assert "not known" in late["room"]


def test_a_server_that_waits_for_room_reads_what_would_start(
    story: Story,  # noqa: F811
    fake: FakeCluster,
    looks: Settings,
) -> None:
    fake.add_node("a", cpu="600m")
    story.clock = datetime.now(UTC)
    look(at=story.clock)
    story.start()
    fake.wait_for(lambda: story.pod()["status"].get("conditions"))
    story.follow()
    step = story.server.steps.get(code="no_cpu")
    assert step.message.endswith(
        "No node has 1 CPU and 2 GiB free now. What would start at once: Tiny."
    )


def test_a_new_server_keeps_away_from_a_node_that_is_emptied(
    story: Story,  # noqa: F811
    fake: FakeCluster,
    looks: Settings,
) -> None:
    fake.add_node("a")
    NodeDrain.objects.create(node="a", started_at=NOW)
    look(at=NOW)
    assert free() == {"small": 0, "large": 0}
    story.start()
    fake.wait_for(lambda: story.pod()["status"].get("conditions"))
    assert "nodeName" not in story.pod()["spec"]
    annotations = story.pod()["metadata"]["annotations"]
    assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    fake.add_node("b")
    assert fake.wait_for(lambda: story.pod()["spec"].get("nodeName")) == "b"


def test_prometheus_reads_room_and_nodes(fake: FakeCluster, looks: Settings) -> None:
    fake.add_node("a", cpu="4", memory="16Gi")
    look(at=NOW)
    numbers = told(NOW)
    assert numbers["size_free", (("size", "small"),)] == 4
    assert numbers["cluster_nodes", (("state", "open"),)] == 1
