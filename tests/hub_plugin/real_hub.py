"""A real JupyterHub with the plugin, in a process of its own, for the tests."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import requests

from lsp_hub import derive_service_token

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "deploy" / "hub-plugin"
LAB = Path(__file__).with_name("stub_lab.py")
START_SECONDS = 60.0
ADMIN_TOKEN = "a-token-that-everybody-may-know-in-a-test"

CONFIG = """
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.JupyterHub.db_url = "sqlite:///{home}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{home}/cookie_secret"
c.ConfigurableHTTPProxy.pid_file = "{home}/proxy.pid"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.allow_named_servers = True
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"dora"}}
c.Spawner.args = ["--allow-root"]
c.Spawner.cmd = ["{python}", "{lab}"]
c.Spawner.environment = {{"LAB_DIR": "{home}/labs"}}
c.Spawner.poll_interval = 1
c.Spawner.start_timeout = 20
c.Spawner.http_timeout = 5
c.SimpleLocalProcessSpawner.home_dir_template = "{home}/homes/{{username}}"
c.SimpleLocalProcessSpawner.interrupt_timeout = 1
c.JupyterHub.services = [{{"name": "idle-culler", "api_token": "{admin_token}"}}]
c.JupyterHub.load_roles = [
    {{"name": "culler", "services": ["idle-culler"], "scopes": ["admin:users", "admin:servers"]}},
]
{extra}
from lsp_hub import configure
configure(c, portal="{portal}", hub="demo", secret="{secret}", outbox="{outbox}",
          snapshot_interval={snapshot_interval}, {options})
"""


def environment() -> Path:
    """The hub's virtual environment; LSP_HUB_ENV chooses the other line of JupyterHub."""
    return ROOT / os.environ.get("LSP_HUB_ENV", ".venv-hub")


class Portal(Protocol):
    """What the hub is told of its portal."""

    @property
    def address(self) -> str: ...

    @property
    def secret(self) -> str: ...


class RealHub:
    """One hub with its proxy and its labs, all on 127.0.0.1."""

    def __init__(
        self,
        home: Path,
        portal: Portal,
        *,
        extra: str = "",
        options: str = "",
        outbox: str | None = None,
        snapshot_interval: float = 300.0,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.portal = portal
        self.variables = {"PYTHONPATH": str(PLUGIN), **(variables or {})}
        self.port, hub_port, proxy_port = free_ports(3)
        self.url = f"http://127.0.0.1:{self.port}/hub"
        for folder in ("homes", "labs"):
            (home / folder).mkdir(parents=True)
        (home / "jupyterhub_config.py").write_text(
            CONFIG.format(
                port=self.port,
                hub_port=hub_port,
                proxy_port=proxy_port,
                home=home,
                python=sys.executable,
                lab=LAB,
                extra=extra,
                portal=portal.address,
                secret=portal.secret,
                options=options,
                outbox=outbox or home / "outbox.sqlite",
                snapshot_interval=snapshot_interval,
                admin_token=ADMIN_TOKEN,
            )
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.tokens = {
            "portal": derive_service_token(portal.secret, "demo"),
            "culler": ADMIN_TOKEN,
        }

    def start(self) -> "RealHub":
        """Start the hub and wait until it answers."""
        bin_folder = environment() / "bin"
        assert bin_folder.is_dir(), f"{bin_folder} is missing: make env"
        path = os.pathsep.join([str(bin_folder), os.environ["PATH"]])
        with (self.home / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(bin_folder / "jupyterhub"), "-f", "jupyterhub_config.py"],
                cwd=self.home,
                env={"PATH": path, "HOME": str(self.home), **self.variables},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self.is_up, START_SECONDS, self.log)
        return self

    def is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the hub ended:\n{self.log()}"
        with suppress(requests.RequestException):
            return requests.get(f"{self.url}/health", timeout=2).ok
        return False

    def kill(self) -> None:
        """kill -9 of the hub alone: proxy and labs go on."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """SIGTERM: the hub stops its servers and its proxy, and ends."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(START_SECONDS)

    def clean_up(self) -> None:
        """End everything that was started, whatever state a test left it in."""
        if self.process and self.process.poll() is None:
            self.kill()
        for pid in [*self.lab_pids(), self.proxy_pid()]:
            end_process(pid)

    def lab_pids(self) -> list[int]:
        """The processes of all labs, as the hub's database remembers them."""
        states = []
        with (
            closing(sqlite3.connect(self.home / "hub.sqlite")) as database,
            suppress(sqlite3.OperationalError),  # the hub did not come that far
        ):
            states = database.execute("SELECT state FROM spawners WHERE state != ''").fetchall()
        return [pid for (state,) in states if (pid := (json.loads(state) or {}).get("pid"))]

    def proxy_pid(self) -> int | None:
        return read_pid(self.home / "proxy.pid")

    def log(self) -> str:
        return (self.home / "hub.log").read_text()[-6000:]

    # What a client does

    def api(self, method: str, path: str, who: str = "portal", **kwargs: Any) -> requests.Response:
        headers = {"Authorization": f"token {self.tokens[who]}", **kwargs.pop("headers", {})}
        url = f"{self.url}/api/{path}"
        return requests.request(method, url, headers=headers, timeout=30, **kwargs)

    def browser(self, user: str) -> "Browser":
        return Browser(self, user)

    def lab_pid(self, session: str) -> int:
        pid = read_pid(self.home / "labs" / session)
        assert pid
        return pid


class Browser:
    """A person signed in at the hub, with cookies and forms."""

    def __init__(self, hub: RealHub, user: str) -> None:
        self.hub = hub
        self.user = user
        self.session = requests.Session()
        self.get("login")
        answer = self.post("login", username=user, password="any")
        assert answer.ok, answer.text

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        return self.session.get(f"{self.hub.url}/{path}", timeout=30, **kwargs)

    def post(self, path: str, **form: str) -> requests.Response:
        xsrf = self.session.cookies.get("_xsrf", path="/hub/") or ""
        return self.session.post(
            f"{self.hub.url}/{path}", params={"_xsrf": xsrf}, data=form, timeout=30
        )

    def spawn(self, server: str = "", **form: str) -> requests.Response:
        """Send the options form."""
        target = f"spawn/{quote(self.user)}/{server}" if server else "spawn"
        assert self.get(target).ok
        return self.post(target, **form)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def read_pid(file: Path) -> int | None:
    with suppress(FileNotFoundError, ValueError):
        return int(file.read_text().split()[0])
    return None


def end_process(pid: int | None) -> None:
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_until(
    is_so: Callable[[], object], seconds: float = 15.0, explain: Callable[[], str] = str
) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"it did not happen in {seconds} s: {explain()}"
        time.sleep(0.05)
