"""`make run`: the portal with a real JupyterHub and people to try it with, on one machine.

Everything listens on 127.0.0.1 and ends with this program.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from deploy.demo.layout import (
    HELPER,
    HOST,
    MARK,
    ROOT,
    BadSettingError,
    Layout,
    from_environment,
    python,
)
from deploy.demo.people import PEOPLE
from deploy.demo.processes import (
    Program,
    ProgramDiedError,
    Spec,
    end_marked,
    start,
    wait_for,
)

LOG_SIZE = 10_000_000  # bytes; a longer log is started anew at the next run
START_SECONDS = 90  # a busy machine with two cores needs about thirty
DEATHS_ALLOWED = 3  # of one program, before we give up,
DEATHS_WITHIN = 60  # seconds
PRETENDED = [python(), "-m", "deploy.demo.pretend_cluster"]
IDENTITY_PROVIDER = [python(), "-m", "deploy.demo.identity_provider"]


class CannotRunError(Exception):
    """Something outside stands in the way; the text says what."""


class StoppedError(Exception):
    """Ctrl-C, or a signal that means the same."""


class Run:
    """The programs of one run, in the order of their start."""

    def __init__(self, layout: Layout, database_url: str) -> None:
        self.layout = layout
        self.environment = layout.environment(database_url)
        self.programs: list[Program] = []
        self.deaths: list[tuple[str, float]] = []

    def start_all(self) -> None:
        """Start everything and wait until it can be used. Raises ProgramDiedError."""
        login = self._start(self._spec("demo login", IDENTITY_PROVIDER, self.layout.login_check))
        if self.layout.pretends:
            _wait(self._start(self._spec("cluster", PRETENDED, self.layout.cluster_check)))
        self._prepare()
        if self.layout.is_driving:
            self._check_cluster()
        portal = self._start(
            self._spec("portal", _portal(self.layout.portal_port), self.layout.portal_check)
        )
        self._start(self._spec("worker", _celery("worker", "--concurrency=1", "--loglevel=INFO")))
        self._start(self._spec("beat", _celery("beat", "--loglevel=INFO")))
        if self.layout.is_driving:
            self._start(self._spec("watcher", _manage("watch_cluster")))
        _wait(login)
        _wait(portal)
        _wait(self._start(self._hub_spec()))

    def watch(self) -> NoReturn:
        """Start again whatever ends, for ever. Raises ProgramDiedError when that does not help."""
        while True:
            for index, program in enumerate(self.programs):
                if program.code is not None:
                    self.programs[index] = self._again(program)
            time.sleep(0.5)

    def stop_all(self) -> None:
        """End everything: the hub first, so that the portal hears of the servers it stops."""
        for program in reversed(self.programs):
            say(f"stopping {program.spec.name}")
            program.stop()
        end_marked(MARK, str(self.layout.home))

    def _again(self, program: Program) -> Program:
        name, now = program.spec.name, time.monotonic()
        recent = [at for dead, at in self.deaths if dead == name and now - at < DEATHS_WITHIN]
        if len(recent) >= DEATHS_ALLOWED:
            raise program.died()
        say(f"{name} ended with code {program.code} and is started again; see {program.spec.log}")
        self.deaths.append((name, now))
        program.end_group()
        if name == "hub":
            end_marked(HELPER, str(self.layout.home))
        return start(program.spec)

    def _prepare(self) -> None:
        say("preparing the database (the first time it takes a minute)")
        arguments = [str(self.layout.credentials), self.layout.hub_url]
        program = start(self._spec("prepare", [python(), "-m", "deploy.demo.prepare", *arguments]))
        try:
            if program.process.wait():
                raise program.died()
        finally:
            program.end_group()

    def _check_cluster(self) -> None:
        """Raises CannotRunError with what is missing."""
        said = subprocess.run(  # noqa: S603  # a command of this program
            _manage("check_cluster"), env=self.environment, cwd=ROOT,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if said.returncode:
            raise CannotRunError(f"The cluster cannot be used:\n\n{said.stdout}{said.stderr}")
        for line in said.stdout.splitlines():
            say(line)

    def _start(self, spec: Spec) -> Program:
        program = start(spec)
        self.programs.append(program)
        return program

    def _spec(self, name: str, command: list[str], url: str = "") -> Spec:
        return Spec(name, command, self.environment, ROOT, self._log(name), url)

    def _hub_spec(self) -> Spec:
        programs = self.layout.hub_environment / "bin"
        # The portal's Python path is not the hub's.
        environment = {k: v for k, v in self.environment.items() if k != "PYTHONPATH"}
        return Spec(
            "hub",
            [
                str(programs / "jupyterhub"),
                "--config",
                str(ROOT / "deploy/demo/jupyterhub_config.py"),
            ],
            environment | {"PATH": f"{programs}:{self.environment['PATH']}"},
            self.layout.hub_folder,
            self._log("hub"),
            f"{self.layout.hub_url}health",
            seconds_to_stop=30,
        )

    def _log(self, name: str) -> Path:
        log = self.layout.logs / f"{name.replace(' ', '-')}.log"
        if log.exists() and log.stat().st_size > LOG_SIZE:
            log.unlink()
        return log


def main() -> int:
    """Run until Ctrl-C; the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        with ExitStack() as stack:
            _run(from_environment(), stack)
    except StoppedError:
        say("everything has ended")
        return 0
    except (BadSettingError, CannotRunError, ProgramDiedError) as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return 1


def say(text: str) -> None:
    """A line of progress."""
    print(f"  {text}", flush=True)


def _run(layout: Layout, stack: ExitStack) -> NoReturn:
    for folder in (layout.logs, layout.hub_folder, layout.home / "homes", layout.home / "cluster"):
        folder.mkdir(parents=True, exist_ok=True)
    stack.enter_context(_locked(layout.home / "run.lock"))
    if end_marked(MARK, str(layout.home)):
        say("ended what an earlier run had left")
    _check_ports(layout)
    run = Run(layout, _database_url(layout))
    stack.callback(run.stop_all)
    run.start_all()
    print(box(layout), flush=True)
    run.watch()


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """The first signal ends the run; those that follow must not disturb the ending."""
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise StoppedError


def _locked(path: Path) -> IO[str]:
    lock = path.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CannotRunError(
            f"Another run uses {path.parent}. End it first, or set PORTAL_HOME and the ports."
        ) from error
    return lock


def _check_ports(layout: Layout) -> None:
    for name, port in layout.ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                raise CannotRunError(
                    f"Port {port} is taken. Set {name.split()[0]} to another one: "
                    f"{name.split()[0]}=... make run"
                ) from error


def _database_url(layout: Layout) -> str:
    """The site's database, or our own server, which then ends with this process."""
    if os.environ.get("DATABASE_URL"):
        return os.environ["DATABASE_URL"]
    from lsp_portal.lib.embedded_postgres import join

    say("starting PostgreSQL")
    return join(layout.home / "postgres").url


def _wait(program: Program) -> None:
    wait_for(program, seconds=START_SECONDS)
    say(f"{program.spec.name} runs")


def _portal(port: int) -> list[str]:
    program = [python(), "-m", "granian", "--interface", "wsgi", "--host", HOST]
    return [*program, "--port", str(port), "--blocking-threads", "8", "lsp_portal.wsgi:application"]


def _manage(command: str) -> list[str]:
    return [python(), "manage.py", command]


def _celery(*arguments: str) -> list[str]:
    return [python(), "-m", "celery", "--app", "lsp_portal", *arguments]


def box(layout: Layout) -> str:
    """Where everything is, and who can sign in."""
    lines = [
        f"Portal         {layout.portal_url}/",
        f"JupyterHub     {layout.hub_url}",
        f"Administration {layout.portal_url}/admin/ (as dora)",
        f"API            {layout.portal_url}/api/docs/",
        *_cluster_lines(layout),
        "",
        "Sign in on the portal as one of these; the hub then knows you:",
        *(f"  {person['sub']:<9} {person['role']}" for person in PEOPLE),
        "",
        f"Logs and data are in {layout.home}. Ctrl-C ends everything.",
    ]
    width = max(map(len, lines))
    edge = "─" * (width + 2)
    body = [f"│ {line:<{width}} │" for line in lines]
    return "\n".join(["", f"┌{edge}┐", *body, f"└{edge}┘", ""])


def _cluster_lines(layout: Layout) -> list[str]:
    if layout.pretends:
        return [
            "Servers        in a pretended cluster: its pods are processes of this machine.",
            "               KUBECONFIG=... HUB_ADDRESS=... uses a real one (docs/demo.md).",
        ]
    known = layout.inherited.get("KUBECONFIG", "")
    return [f"Servers        in the cluster of {known}"] if layout.is_driving else []


if __name__ == "__main__":
    sys.exit(main())
