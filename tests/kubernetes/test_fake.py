"""The nodes of the fake cluster: what its pods go through, and its control by other processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import requests

from quotas.vocabulary import Resources
from sessions.kubernetes import names
from sessions.kubernetes.client import Client
from sessions.kubernetes.manifests.server import server_manifests
from tests.kubernetes.fake import FakeCluster
from tests.kubernetes.fake.resources import EVENTS, NODES, Object
from tests.kubernetes.specs import GPU, ONE, bobs_server

SPEC = bobs_server()
IMAGE = SPEC.image


@pytest.fixture
def start(client: Client) -> Callable[..., str]:
    def started(**changed: Any) -> str:
        spec = replace(SPEC, **changed)
        for manifest in server_manifests(spec, ONE):
            client.ensure(manifest, owner=names.identity(manifest))
        return spec.name

    return started


def pod_when(fake: FakeCluster, name: str, seen: Callable[[Object], Any]) -> Object:
    found: Object = fake.wait_for(lambda: (pod := fake.pod("lsp", name)) and seen(pod) and pod)
    return found


def ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def state(pod: Object) -> Object:
    found: Object = pod["status"]["containerStatuses"][0]["state"]
    return found


def reasons(fake: FakeCluster) -> list[str]:
    return [event["reason"] for event in fake.store.all(EVENTS, "lsp")]


def test_a_pod_is_placed_pulled_started_and_ready(
    fake: FakeCluster, start: Callable[..., str]
) -> None:
    pod = pod_when(fake, start(), ready)
    assert pod["spec"]["nodeName"] == "node-1"
    assert sorted(reasons(fake)) == ["Pulled", "Pulling", "Scheduled", "Started"]
    node = fake.store.get(NODES, "", "node-1")
    assert [image["names"] for image in node["status"]["images"]] == [[IMAGE]]


def test_a_pod_waits_for_room_and_takes_it(fake: FakeCluster, start: Callable[..., str]) -> None:
    name = start(resources=Resources(65_000, 1024))
    waits = pod_when(fake, name, lambda pod: "conditions" in pod["status"])
    assert waits["status"]["conditions"][0]["message"] == (
        "0/1 nodes are available: 1 Insufficient cpu."
    )
    fake.add_node("node-2", cpu="128")
    assert pod_when(fake, name, ready)["spec"]["nodeName"] == "node-2"


def test_gpus_are_on_nodes_that_have_them(fake: FakeCluster, start: Callable[..., str]) -> None:
    name = start(**GPU)
    taint = {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}
    fake.add_node("cpu-only", labels={"accelerator": "a100"})
    fake.add_node("gpu", gpus=4, labels={"accelerator": "a100"}, taints=[taint])
    assert pod_when(fake, name, ready)["spec"]["nodeName"] == "gpu"


def test_an_image_that_cannot_be_pulled_keeps_the_pod_waiting(
    fake: FakeCluster, start: Callable[..., str]
) -> None:
    fake.plan(pull_error="manifest unknown")
    name = start()
    pod = pod_when(fake, name, lambda p: "ImagePullBackOff" in str(p["status"]))
    assert "manifest unknown" in state(pod)["waiting"]["message"]


def test_a_pod_that_was_killed_for_memory_says_so(
    fake: FakeCluster, start: Callable[..., str]
) -> None:
    fake.plan(ends_seconds=0.05, oom=True)
    pod = pod_when(fake, start(), lambda pod: pod["status"]["phase"] == "Failed")
    ended = state(pod)["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_crashes_and_evictions_come_on_demand(fake: FakeCluster, start: Callable[..., str]) -> None:
    name = start()
    pod_when(fake, name, ready)
    fake.crash("lsp", name, code=3)
    assert state(fake.pod("lsp", name) or {})["terminated"]["exitCode"] == 3
    other = start(server="other")
    pod_when(fake, other, ready)
    fake.evict("lsp", other)
    evicted = fake.pod("lsp", other) or {}
    assert (evicted["status"]["phase"], evicted["status"]["reason"]) == ("Failed", "Evicted")


def test_a_pod_is_ready_when_its_server_answers(
    fake: FakeCluster, start: Callable[..., str]
) -> None:
    with stub_server() as stub:
        fake.plan(probe_url=stub.url)
        name = start()
        pod = pod_when(fake, name, lambda pod: pod["status"]["phase"] == "Running")
        fake.wait_for(lambda: stub.asked)
        assert not ready(pod)
        stub.status = 200
        pod_when(fake, name, ready)


def test_what_frees_room_is_given_to_who_waits(
    fake: FakeCluster, client: Client, start: Callable[..., str]
) -> None:
    first = start(resources=Resources(40_000, 1024))
    pod_when(fake, first, ready)
    second = start(server="second", resources=Resources(40_000, 1024))
    pod_when(fake, second, lambda pod: "Insufficient cpu" in str(pod["status"]))
    client.delete("Pod", first, "lsp")
    pod_when(fake, second, ready)


def test_other_processes_control_it_over_http(fake: FakeCluster, start: Callable[..., str]) -> None:
    def control(what: str, **arguments: Any) -> Any:
        answer = requests.post(f"{fake.control_url}{what}", json=arguments, timeout=5)
        return answer.json()["answer"]

    control("plan", name="lsp-bob-*", ends_seconds=0.05, exit_code=4)
    pod = pod_when(fake, start(), lambda pod: pod["status"]["phase"] == "Failed")
    assert state(pod)["terminated"]["exitCode"] == 4
    assert ["create", "", "pods", "lsp"] in control("recorded")


class Stub:
    status = 503
    asked = 0
    url = ""


@contextmanager
def stub_server() -> Iterator[Stub]:
    """A server that is not there yet."""
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stub.asked += 1
            self.send_response(stub.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield stub
    server.shutdown()
    server.server_close()
    thread.join()
