"""The whole platform as `make run` starts it, in a home of its own, for the tests."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import requests

from deploy.demo.layout import HOST, MARK, ROOT
from deploy.demo.processes import end_marked, tail
from lsp_hub import derive_service_token

START_SECONDS = 180
STOP_SECONDS = 60
REFRESH_SECONDS = 3  # until the hub asks the portal about somebody again
PROGRAMS = {"portal": "granian", "hub": "jupyterhub --config", "worker": "celery"}
SITE_VARIABLES = (
    "DATABASE_URL", "SECRET_KEY", "DJANGO_SETTINGS_MODULE", "CELERY_BROKER_URL", "KUBECONFIG",
    "MODE",
)  # fmt: skip


class Platform:
    """One run with its processes; `stop` leaves nothing behind, however it went."""

    def __init__(self, home: Path, **more: str) -> None:
        self.more = more
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.portal_port, self.hub_port, self.identity_port = free_ports()
        self.portal_url = f"http://{HOST}:{self.portal_port}"
        self.hub_url = f"http://{HOST}:{self.hub_port}"
        self.output = home / "run.out"
        self.process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k not in SITE_VARIABLES}
        return kept | {
            "PORTAL_HOME": str(self.home),
            "PORTAL_URL": self.portal_url,
            "PORTAL_PORT": str(self.portal_port),
            "HUB_PORT": str(self.hub_port),
            "IDP_PORT": str(self.identity_port),
            "DEMO_REFRESH_SECONDS": str(REFRESH_SECONDS),
            **self.more,
        }

    def start(self) -> Platform:
        """Start the run and wait until it says that everything is there."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.demo.run"],
                cwd=ROOT,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )
        wait_until(self._has_started, START_SECONDS, self.said)
        return self

    def stop(self) -> None:
        """End the run as Ctrl-C does, and whatever is left by force."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
            self.process.kill()
            self.process.wait()
        end_marked(MARK, str(self.home))
        self._end_postgres()

    def said(self) -> str:
        """What the run has printed, and the hub at last, for the message of a failed test."""
        return f"{self.output.read_text()}\n{tail(self.home / 'log' / 'hub.log')}"

    def processes(self, text: str = "") -> list[psutil.Process]:
        """The run's processes with that text in their command."""
        return [p for p in _marked(self.home) if text in " ".join(_command(p))]

    def kill(self, name: str) -> None:
        """kill -9 of a program and its workers; what it started for people goes on."""
        for process in self.processes(PROGRAMS[name]):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def lab(self, user: str) -> psutil.Process:
        """The process of the person's notebook server."""
        [process] = [
            p for p in self.processes() if _environment(p).get("JUPYTERHUB_USER") == user
            and "jupyterhub-singleuser" in " ".join(_command(p))
        ]  # fmt: skip
        return process

    def session_of(self, user: str) -> str:
        """The session id that the person's running notebook server was given."""
        return _environment(self.lab(user))["LSP_SESSION"]

    # What the hub's own clients do

    def hub_api(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """Ask the hub as the portal does, with the portal's service token."""
        credentials = json.loads((self.home / "hub" / "credentials.json").read_text())
        token = derive_service_token(credentials["secret"], credentials["hub"])
        headers = {"Authorization": f"token {token}"}
        url = f"{self.hub_url}/hub/api/{path}"
        return requests.request(method, url, headers=headers, timeout=60, **kwargs)

    def start_notebook(self, user: str, group: str) -> None:
        self.hub_api("POST", f"users/{user}")
        options = {"image": "base", "size": "tiny", "group": group}
        answer = self.hub_api("POST", f"users/{user}/server", json=options)
        assert answer.status_code in (201, 202), answer.text

    def stop_notebook(self, user: str) -> None:
        answer = self.hub_api("DELETE", f"users/{user}/server")
        assert answer.status_code in (202, 204), answer.text

    def is_ready(self, user: str) -> bool:
        """Whether the person's server can be used."""
        return bool(self._servers(user).get("", {}).get("ready"))

    def has_server(self, user: str) -> bool:
        """Whether the hub still has a server of the person, ready or on its way up or down."""
        return "" in self._servers(user)

    def is_up(self, url: str) -> bool:
        with suppress(requests.RequestException):
            return requests.get(url, timeout=5).ok
        return False

    # What the portal has recorded

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The answer of the platform's database; changes are committed."""
        lines = (self.home / "postgres" / "postmaster.pid").read_text().splitlines()
        connection = psycopg2.connect(
            host=lines[4], port=lines[3], user="postgres", dbname="lsp_portal"
        )
        with closing(connection), connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run manage.py as an administrator does."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=False
        )

    def _servers(self, user: str) -> dict[str, Any]:
        with suppress(requests.RequestException, ValueError, KeyError):
            servers: dict[str, Any] = self.hub_api("GET", f"users/{user}").json()["servers"]
            return servers
        return {}

    def _has_started(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        return "Ctrl-C ends everything" in self.said()

    def _end_postgres(self) -> None:
        file = self.home / "postgres" / "postmaster.pid"
        with suppress(OSError, ValueError, psutil.Error, subprocess.TimeoutExpired):
            server = psutil.Process(int(file.read_text().split()[0]))
            server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            server.wait(10)


def free_ports() -> tuple[int, int, int]:
    """A port for the portal, the first of three for the hub, one for the demo login."""
    while True:
        with socket.create_server((HOST, 0)) as probe:
            first = int(probe.getsockname()[1])
        if first < 65_000 and all(_is_free(first + n) for n in range(1, 5)):
            return first, first + 1, first + 4


def wait_until(
    is_so: Callable[[], object], seconds: float, explain: Callable[[], str] = str
) -> None:
    """Wait until it is so; the test fails with the explanation when it does not happen."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"it did not happen in {seconds} s: {explain()}"
        time.sleep(0.1)


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server((HOST, port)):
        return True
    return False


def _marked(home: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        if _environment(process).get(MARK) == str(home):
            yield process


def _environment(process: psutil.Process) -> dict[str, str]:
    with suppress(psutil.Error, OSError):
        return dict(process.environ())
    return {}


def _command(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return list(process.cmdline())
    return []


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: also when pytest is killed
