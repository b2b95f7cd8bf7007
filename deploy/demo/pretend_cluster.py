"""A cluster for those who have none: the API is the tests' stand-in, and what runs in a pod is a
process of this machine, with an address of its own.
"""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from deploy.demo.layout import MARK
from tests.kubernetes.fake import FakeCluster
from tests.kubernetes.fake.cluster import ADMIN
from tests.kubernetes.fake.kubelet import Containers
from tests.kubernetes.fake.plans import Plan
from tests.kubernetes.fake.resources import SECRETS, ApiError, Object

PULL_SECONDS, START_SECONDS, END_SECONDS = 6.0, 1.0, 10.0
NODES = {"node-1": "4", "node-2": "8"}  # with so many CPUs
USER = "lsp.portal/user"
SERVICE_URL = "JUPYTERHUB_SERVICE_URL"  # where the hub tells a server to listen


@dataclass
class Processes(Containers):
    """Pods as processes. Each has a loopback address of its own, since all have the same port."""

    home: Path
    programs: str
    port: int
    cluster: FakeCluster = field(init=False)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    count: int = 0

    def start(self, pod: Object) -> str:
        about, container = pod["metadata"], pod["spec"]["containers"][0]
        address, home = self._address(), self.home / "homes" / about["annotations"][USER]
        home.mkdir(parents=True, exist_ok=True)
        with (self.home / "log" / "notebooks.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603  # what the hub asked the portal to run
                [part.replace("$$", "$") for part in container["command"]],
                cwd=home,
                env=self._environment(pod, container, address) | {"HOME": str(home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.running[about["uid"]] = process
        threading.Thread(target=self._watch, args=(pod, process), daemon=True).start()
        return address

    def is_ready(self, pod: Object, plan: Plan) -> bool:
        port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
        with suppress(OSError), socket.create_connection((pod["status"]["podIP"], port), timeout=1):
            return True
        return False

    def end(self, pod: Object) -> None:
        process = self.running.pop(pod["metadata"]["uid"], None)
        if process is None:
            return
        process.terminate()
        killer = threading.Timer(END_SECONDS, process.kill)
        killer.daemon = True
        killer.start()

    def end_all(self) -> None:
        for process in list(self.running.values()):
            process.terminate()

    def _address(self) -> str:
        """Of a network that the port of the cluster makes the run's own."""
        self.count = self.count % 250 + 1
        high, low = divmod(self.port, 256)
        return f"127.{high}.{low}.{self.count}"

    def _watch(self, pod: Object, process: subprocess.Popen[bytes]) -> None:
        """A process that ends by itself ends its pod."""
        code = process.wait()
        about = pod["metadata"]
        if self.running.pop(about["uid"], None):
            with suppress(ApiError):
                exit_code = code if code >= 0 else 128 - code
                reason = "Error" if exit_code else "Completed"
                self.cluster.crash(about["namespace"], about["name"], exit_code, reason)

    def _environment(self, pod: Object, container: Object, address: str) -> dict[str, str]:
        known = {"PATH": f"{self.programs}:{os.environ['PATH']}"}
        known |= {one["name"]: one.get("value", "").replace("$$", "$") for one in container["env"]}
        for source in container["envFrom"]:
            name = source["secretRef"]["name"]
            secret = self.cluster.store.get(SECRETS, pod["metadata"]["namespace"], name)
            known |= {k: base64.b64decode(v).decode() for k, v in secret["data"].items()}
        if SERVICE_URL in known:
            url = urlsplit(known[SERVICE_URL])
            known[SERVICE_URL] = urlunsplit(url._replace(netloc=f"{address}:{url.port}"))
        return known


def main() -> None:
    """Serve until told to end."""
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    environ = os.environ
    port = int(environ["DEMO_CLUSTER_PORT"])
    containers = Processes(Path(environ[MARK]), environ["DEMO_CLUSTER_PROGRAMS"], port)
    cluster = FakeCluster(containers=containers, node=False, port=port)
    containers.cluster = cluster
    cluster.add_storage_class("standard", is_default=True)
    for name, cpus in NODES.items():
        cluster.add_node(name, cpu=cpus, memory="16Gi")
    cluster.plan(pull_seconds=PULL_SECONDS, start_seconds=START_SECONDS)
    with cluster:
        cluster.kubeconfig(Path(environ["KUBECONFIG"]), token=ADMIN)
        ending.wait()
        containers.end_all()


if __name__ == "__main__":
    main()
