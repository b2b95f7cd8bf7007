"""Prepulling by itself: never two pulls on one node, and in the end every image everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.kubernetes.prepulling.nodes import MOST_LISTED, Node, Puller, node_of, puller_of
from sessions.kubernetes.prepulling.planning import PAUSE, Entry, Key, State, plan

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TICK = timedelta(minutes=1)
IMAGES = ("img@1", "img@2", "img@3")
FAULTS = ("", "", "fails", "stays", "lost", "list lags", "slow end")


@dataclass
class World:
    """Nodes that fetch, with whatever goes wrong; one step a minute."""

    nodes: dict[str, set[str]]
    unlisted: set[Key] = field(default_factory=set)
    pullers: dict[str, Puller] = field(default_factory=dict)
    ending: set[str] = field(default_factory=set)
    known: dict[Key, Entry] = field(default_factory=dict)
    at: datetime = NOW

    def step(self, fault: str) -> None:
        self._fetch(fault)
        nodes = [
            Node(name, name, frozenset(i for i in images if (i, name) not in self.unlisted))
            for name, images in self.nodes.items()
        ]
        if fault != "list lags":
            self.unlisted.clear()
        found = plan(IMAGES, nodes, self.pullers.values(), self.known, at=self.at)
        for old in found.delete:
            if fault == "slow end":
                self.ending.add(old.node)
            else:
                del self.pullers[old.node]
        self.known = dict(found.entries)
        for reference, node in found.create:
            assert node not in self.pullers, "two pulls on one node"
            if fault != "lost":
                self.pullers[node] = Puller(f"p-{node}", "uid", node, reference)
        self.at += TICK

    def _fetch(self, fault: str) -> None:
        for node, puller in list(self.pullers.items()):
            if node in self.ending:
                self.ending.discard(node)
                del self.pullers[node]
            elif fault == "fails":
                self.pullers[node] = replace(puller, trouble="no such image")
            elif fault != "stays":
                self.nodes[node].add(puller.reference)
                self.unlisted.add((puller.reference, node))
                self.pullers[node] = replace(puller, is_done=True, trouble="")

    def is_covered(self) -> bool:
        return all(set(IMAGES) <= images for images in self.nodes.values())


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.lists(st.sampled_from(FAULTS), max_size=60))
def test_whatever_goes_wrong_every_image_gets_to_every_node_one_at_a_time(
    nodes: int, faults: list[str]
) -> None:
    world = World({f"node-{number}": set() for number in range(nodes)})
    for fault in faults:
        world.step(fault)
    quiet = int(PAUSE / TICK) + 6 * len(IMAGES)
    for _ in range(quiet):
        world.step("")
    assert world.is_covered()
    assert {entry.state for entry in world.known.values()} == {State.PRESENT}
    assert not world.pullers


NODE = Node("a", "a", frozenset())


def test_a_failure_lets_the_next_image_have_its_turn_and_is_tried_again_later() -> None:
    stuck = Puller("p", "uid", "a", IMAGES[0], trouble="denied")
    first = plan(IMAGES, [NODE], [stuck], {}, at=NOW)
    assert (first.create, first.delete) == ((), (stuck,))
    assert first.entries[IMAGES[0], "a"] == Entry(State.FAILED, NOW, "denied")
    assert plan(IMAGES, [NODE], [], first.entries, at=NOW).create == ((IMAGES[1], "a"),)
    later = plan(IMAGES, [NODE], [], first.entries, at=NOW + PAUSE)
    assert later.create == ((IMAGES[0], "a"),)


def test_a_puller_of_an_image_that_is_not_wanted_any_more_is_taken_away() -> None:
    old = Puller("p", "uid", "a", "old@1")
    assert plan(IMAGES, [NODE], [old], {}, at=NOW).delete == (old,)


def test_a_full_list_is_not_taken_for_the_whole_truth() -> None:
    before = {(IMAGES[0], "a"): Entry(State.PRESENT, NOW - timedelta(hours=2))}
    full = replace(NODE, is_list_full=True)
    assert plan(IMAGES[:1], [full], [], before, at=NOW).create == ()
    assert plan(IMAGES[:1], [NODE], [], before, at=NOW).create == ((IMAGES[0], "a"),)


def node(**spec: object) -> dict[str, object]:
    ready = {"type": "Ready", "status": "True"}
    return {
        "metadata": {"name": "a", "labels": {"kubernetes.io/hostname": "host-a"}},
        "spec": spec,
        "status": {"conditions": [ready], "images": [{"names": ["x:1", "x@sha256:1"]}]},
    }


def test_what_a_node_says() -> None:
    assert node_of(node()) == Node("a", "host-a", frozenset({"x:1", "x@sha256:1"}))
    ours = {"key": "hub.jupyter.org/dedicated", "value": "user", "effect": "NoSchedule"}
    soft = {"key": "old", "effect": "PreferNoSchedule"}
    assert node_of(node(taints=[ours, soft])).out == ""
    assert node_of(node(unschedulable=True)).out == "It is cordoned."
    gpu = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    words = "It has the taint nvidia.com/gpu=present:NoSchedule."
    assert node_of(node(taints=[gpu])).out == words
    away = node() | {"status": {"images": [{"names": ["x"]}] * MOST_LISTED}}
    assert (node_of(away).out, node_of(away).is_list_full) == ("It is not ready.", True)
    left_out = plan(IMAGES, [node_of(away)], [], {}, at=NOW)
    assert left_out.create == ()
    assert left_out.entries[IMAGES[0], "a"].message == "It is not ready."


def pod(made: datetime = NOW, **status: object) -> dict[str, object]:
    known = {"lsp.portal/node": "a", "lsp.portal/image": "x@1"}
    about = {"name": "p", "uid": "u", "annotations": known, "creationTimestamp": made.isoformat()}
    return {"metadata": about, "status": status}


def container(**state: object) -> list[dict[str, object]]:
    return [{"state": state}]


def test_what_a_puller_says() -> None:
    waiting = {"reason": "ErrImagePull", "message": "manifest unknown"}
    ended = {"exitCode": 128, "reason": "StartError"}
    late = NOW + timedelta(hours=2)
    cases = [
        (pod(), NOW, (False, "")),
        (pod(containerStatuses=container(terminated=ended), phase="Failed"), NOW, (True, "")),
        (pod(containerStatuses=container(waiting=waiting)), NOW, (False, "manifest unknown")),
        (pod(phase="Failed", reason="Evicted"), NOW, (False, "Evicted")),
        (pod(phase="Pending"), late, (False, "It was not there after an hour.")),
        (
            pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "full"}]),
            late,
            (False, "full"),
        ),
    ]
    for manifest, at, expected in cases:
        found = puller_of(manifest, at=at)
        assert (found.is_done, found.trouble) == expected
        assert (found.node, found.reference) == ("a", "x@1")
