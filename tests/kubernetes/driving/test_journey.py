"""Fifty people start at once, through a real hub, a broker and workers that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from sessions.models import Charge, Hub, Image, Server, Session
from tests import factories
from tests.hub_plugin.real_hub import RealHub, free_ports
from tests.hub_plugin.stub_driver import OneLab
from tests.kubernetes.fake import FakeCluster
from tests.processes import ROOT, environment
from tests.sessions.launch.platform import make_platform

pytestmark = [pytest.mark.hub, pytest.mark.django_db(transaction=True)]

PEOPLE = 50
PATIENCE = 150.0  # seconds for everybody's answer, on a machine with other work
REFERENCE = "registry.example.org/base@sha256:" + "a" * 64
HUB = """
c.JupyterHub.spawner_class = "lsp_hub.PortalSpawner"
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
c.JupyterHub.concurrent_spawn_limit = 0
c.Spawner.cmd = ["jupyterhub-singleuser"]
c.Spawner.poll_interval = 30
c.Spawner.http_timeout = 60
c.PortalSpawner.start_timeout = 200
c.PortalSpawner.port = {port}
c.PortalSpawner.look_seconds = 2
"""


@dataclass
class Programs:
    """The portal, a worker and a broker, each a process that may be killed."""

    home: Path
    env: dict[str, str]
    redis_port: int

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                arguments, cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True
            )

    def portal(self, port: int) -> subprocess.Popen[bytes]:
        granian = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port)]
        return self.start(
            "portal", *granian, "--blocking-threads", "8", "lsp_portal.wsgi:application"
        )

    def worker(self) -> subprocess.Popen[bytes]:
        celery = [sys.executable, "-m", "celery", "-A", "lsp_portal", "worker", "-B"]
        return self.start("worker", *celery, "--concurrency", "2", *self.beat())

    def beat(self) -> list[str]:
        return ["--schedule", str(self.home / "beat")]

    def redis(self) -> subprocess.Popen[bytes]:
        server = which("redis-server") or ""
        return self.start(
            "redis", server, "--port", str(self.redis_port), "--dir", str(self.home),
            "--save", "", "--appendonly", "no",
        )  # fmt: skip


def end(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of the process and of all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def killed_at_the_end(processes: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            end(process)


def wait(is_so: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, f"{what}: {states()}"
        time.sleep(0.3)


def states() -> list[tuple[str, str, str]]:
    return list(Server.objects.values_list("state", "desired", "failure_message"))


def faults(fake: FakeCluster) -> None:
    """What goes wrong while everybody starts."""
    for kind in ("too_many", "error", "dropped", "lost"):
        for resource in ("pods", "secrets", "services"):
            fake.fault(kind, verb="create", resource=resource, times=2, seconds=1)
        fake.fault(kind, verb="get", times=2, seconds=1)
        fake.fault(kind, verb="list", resource="pods", times=2, seconds=1)
    fake.fault("lost", verb="delete", times=5)


def is_up(url: str) -> bool:
    with suppress(requests.RequestException):
        return requests.get(url, timeout=2).ok
    return False


@pytest.mark.skipif(which("redis-server") is None, reason="no redis-server on this machine")
def test_fifty_people_start_and_stop_while_everything_fails(tmp_path: Path) -> None:
    platform = make_platform()
    people = [factories.user(f"p{number}") for number in range(PEOPLE)]
    for person in people:
        factories.membership(person, platform.transients)
    Hub.objects.update(mode=Hub.Mode.DRIVE)
    Image.objects.filter(name="base").update(reference=REFERENCE)
    port, redis_port = free_ports(2)
    with FakeCluster() as fake, OneLab() as lab:
        programs = Programs(
            tmp_path,
            environment(
                tmp_path,
                PORTAL_URL=f"http://127.0.0.1:{port}",
                KUBECONFIG=fake.kubeconfig(tmp_path / "kubeconfig"),
                KUBERNETES_NAMESPACE="lsp",
                KUBERNETES_SWEEP_SECONDS="2",
                CELERY_BROKER_URL=f"redis://127.0.0.1:{redis_port}/0",
            ),
            redis_port,
        )
        processes = [programs.redis(), programs.portal(port), programs.worker()]
        with killed_at_the_end(processes):
            wait(lambda: is_up(f"http://127.0.0.1:{port}/"), "no portal")
            address = SimpleNamespace(address=f"http://127.0.0.1:{port}", secret=platform.secret())
            extra = HUB.format(port=int(lab.address.rpartition(":")[2]))
            options = 'on_outage="refuse", create_users=True, launch_timeout=60'
            hub = RealHub(tmp_path / "hub", address, extra=extra, options=options)
            try:
                hub.start()
                journey(hub, fake, programs, processes)
            finally:
                hub.clean_up()


def journey(
    hub: RealHub,
    fake: FakeCluster,
    programs: Programs,
    processes: list[subprocess.Popen[bytes]],
) -> None:
    names = [f"p{number}" for number in range(PEOPLE)]
    faults(fake)
    for name in names:
        hub.api("POST", f"users/{name}")
    each(lambda name: hub.api("POST", f"users/{name}/server", json=OPTIONS), names)
    wait(lambda: fake.pods("lsp"), "nothing starts")
    end(processes[2])
    processes.append(programs.worker())
    end(processes[0])
    processes.append(programs.redis())
    wait(lambda: Server.objects.count() == PEOPLE, "not everybody's wish arrived")
    wait(lambda: not Server.objects.exclude(state__in=("ready", "failed")).exists(), "some wait")
    every_pod_has_its_record_and_every_record_its_pod(fake)
    everybody_has_an_answer(hub, names)
    each(lambda name: hub.api("DELETE", f"users/{name}/server"), names)
    wait(lambda: not Server.objects.filter(cleaned_at=None).exists(), "some do not end")
    wait(lambda: not Charge.objects.filter(ended_at=None).exists(), "some go on being charged")
    nothing_is_left(fake)


OPTIONS = {"group": "transients", "image": "base", "size": "small"}


def each(do: Callable[[str], Any], names: list[str]) -> None:
    with ThreadPoolExecutor(PEOPLE) as pool:
        answers = list(pool.map(do, names))
    assert {answer.status_code for answer in answers} <= {201, 202, 204}


def every_pod_has_its_record_and_every_record_its_pod(fake: FakeCluster) -> None:
    running = Server.objects.filter(desired="running").values_list("session__key", flat=True)
    pods = [pod["metadata"]["annotations"]["lsp.portal/session"] for pod in fake.pods("lsp")]
    assert sorted(pods) == sorted(map(str, running))


def everybody_has_an_answer(hub: RealHub, names: list[str]) -> None:
    """A server that can be used, or the reason why there is none."""

    def is_settled(name: str) -> bool:
        servers = hub.api("GET", f"users/{name}").json()["servers"]
        return bool(servers.get("", {}).get("ready")) or not servers

    wait(lambda: all(map(is_settled, names)), "somebody has no answer")
    told = Server.objects.filter(state="failed").values_list("failure_message", flat=True)
    assert all(told)
    ready = Server.objects.filter(state="ready").count()
    assert ready == PEOPLE, f"nothing of this is final: {list(told)}"


def nothing_is_left(fake: FakeCluster) -> None:
    own = {"pods", "secrets", "services"}
    assert [key for key in fake.store.contents("lsp") if key[0].plural in own] == []
    charged = Charge.objects.values_list("session_id", flat=True)
    assert sorted(charged) == sorted(Session.objects.values_list("pk", flat=True))
    assert not Session.objects.filter(ended_at=None).exists()
