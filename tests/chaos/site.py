"""A portal with its database and worker, a line, and a real hub: each can be killed and comes back.

Each program may have a clock of its own. All of it is on 127.0.0.1 and ends with `end`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import time_machine

from deploy.demo.layout import HOST, ROOT
from deploy.demo.processes import Program, Spec, end_marked, start, tail, wait_for
from tests.chaos import script
from tests.chaos.script import Trouble
from tests.chaos.wire import State, Wire
from tests.hub_plugin.real_hub import PLUGIN, RealHub, free_ports

MARK = "CHAOS_HOME"
SKEWED = Path(__file__).with_name("skewed")
LAB = Path(__file__).with_name("lab.py")
START_SECONDS = 120
POLL_SECONDS = 2.0  # between two looks of the hub whether a server still runs
SNAPSHOT_SECONDS = 5.0
RECONCILE_SECONDS = 10
MOST_SKEW = 300  # seconds, by the contract

HUB_CONFIG = """
c.Spawner.cmd = ["{python}", "-S", "-E", "{lab}"]
c.Spawner.args = []
c.Spawner.poll_interval = {poll}
c.Spawner.consecutive_failure_limit = 0
c.Spawner.environment = {{"LAB_DIR": "{home}/labs", "{mark}": "{mark_value}"}}
"""
PLUGIN_OPTIONS = "launch_timeout=2.0"
SITE_VARIABLES = ("DATABASE_URL", "CELERY_BROKER_URL", "PORTAL_URL", "ALLOWED_HOSTS", "DEBUG")
PORTAL = ["granian", "--interface", "wsgi", "--host", HOST, "--blocking-threads", "4"]
WORKER = ["celery", "--app", "lsp_portal", "worker", "--beat", "--concurrency=1"]


@dataclass(frozen=True)
class Clocks:
    """How many seconds the clock of each program is ahead of the truth."""

    hub: float
    portal: float
    worker: float


@dataclass(frozen=True)
class Address:
    """What the hub is told of the portal: the near end of the line."""

    address: str
    secret: str


@dataclass
class Absence:
    """A time in which the hub was not there to see anything, by the true clock."""

    since: float
    until: float = float("inf")


@dataclass
class Site:
    """Everything of one chaos."""

    home: Path
    clocks: Clocks
    absences: list[Absence] = field(default_factory=list)
    programs: dict[str, Program] = field(default_factory=dict)
    wire: Wire = field(init=False)
    hub: RealHub = field(init=False)
    port: int = field(init=False)

    # From nothing to running, and back

    def begin(self, people: list[str]) -> None:
        """Prepare the database and start everything."""
        self.home.mkdir(parents=True)
        self._lay_clock()
        [self.port] = free_ports(1)
        self.wire = Wire(self.port).start()
        secret = self.run("-m", "tests.chaos.prepare", *people).strip().splitlines()[-1]
        self.start_portal()
        self.start_worker()
        self.hub = self._hub(Address(f"http://{HOST}:{self.wire.port}", secret))
        self.rows("UPDATE hub_sessions_hub SET api_url = %s RETURNING id", f"{self.hub.url}/api")
        self.hub.start()
        self.hub.api("POST", "users", who="culler", json={"usernames": people})

    def end(self) -> None:
        """End everything by force, whatever state it is in."""
        if hasattr(self, "hub"):
            self.hub.clean_up()
        for program in self.programs.values():
            program.end_group()
        end_marked(MARK, str(self.home))
        self.kill_database()
        if hasattr(self, "wire"):
            self.wire.close()

    def said(self) -> str:
        """The ends of all logs."""
        logs = [*sorted(self.home.glob("*.log")), *sorted(self.home.glob("hub/*.log"))]
        return "\n".join(f"--- {log.name}\n{tail(log)}" for log in logs)

    # Breaking and mending

    def break_down(self, trouble: Trouble) -> None:
        """Let the trouble happen, wait until it is mended."""
        lines = {
            script.CUT: State.CUT,
            script.STALL: State.STALLED,
            script.LOSE_ANSWERS: State.DEAF,
        }
        if trouble.kind in lines:
            self.wire.set(lines[trouble.kind])
            time.sleep(trouble.seconds)
            self.wire.set(State.WHOLE)
        elif trouble.kind == script.DATABASE:
            self.kill_database()  # who connects next starts it again
        elif trouble.kind == script.HUB:
            self.kill_hub()
            time.sleep(trouble.seconds)
            self.start_hub()
        else:
            self.programs[trouble.kind].end_group()
            time.sleep(trouble.seconds)
            {script.PORTAL: self.start_portal, script.WORKER: self.start_worker}[trouble.kind]()

    def kill_hub(self) -> None:
        self.absences.append(Absence(time.time()))
        self.hub.kill()

    def start_hub(self) -> None:
        self.hub.start()
        self.absences[-1].until = time.time()

    def kill_database(self) -> None:
        with suppress(OSError, ValueError, psutil.Error):
            server = psutil.Process(int(self._postmaster()[0]))
            server.kill()
            server.wait(10)

    def start_portal(self) -> None:
        command = [sys.executable, "-m", *PORTAL, "--port", str(self.port)]
        command.append("lsp_portal.wsgi:application")
        url = f"http://{HOST}:{self.port}/healthz"
        self._start(script.PORTAL, command, self.clocks.portal, url)
        wait_for(self.programs[script.PORTAL], seconds=START_SECONDS)

    def start_worker(self) -> None:
        schedule = ["--schedule", str(self.home / f"schedule-{time.time_ns()}")]
        command = [sys.executable, "-m", *WORKER, *schedule]
        self._start(script.WORKER, command, self.clocks.worker)

    # What an administrator sees

    def run(self, *arguments: str) -> str:
        """What a program of the portal prints. Raises CalledProcessError."""
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self._environment(self.clocks.portal),
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}\n{self.said()}"
        return done.stdout

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The answer of the portal's database; changes are committed."""
        lines = self._postmaster()
        connection = psycopg2.connect(
            host=lines[4], port=lines[3], user="postgres", dbname="lsp_portal"
        )
        with closing(connection), connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()

    # How it is made

    def _lay_clock(self) -> None:
        """A folder for PYTHONPATH that moves the clock, in any environment of our Python."""
        folder = self.home / "clock"
        folder.mkdir()
        package = Path(time_machine.__file__).parent
        [compiled] = package.parent.glob("_time_machine*")
        for file in (SKEWED / "sitecustomize.py", package, compiled):
            (folder / file.name).symlink_to(file)

    def skew(self, seconds: float) -> dict[str, str]:
        """The variables that move the clock of a program of the hub's."""
        path = os.pathsep.join([str(self.home / "clock"), str(PLUGIN)])
        return {"PYTHONPATH": path, "CLOCK_SKEW_SECONDS": str(seconds), MARK: str(self.home)}

    def _hub(self, address: Address) -> RealHub:
        config = HUB_CONFIG.format(
            python=sys.executable, lab=LAB, poll=POLL_SECONDS, home=self.home / "hub", mark=MARK,
            mark_value=self.home,
        )  # fmt: skip
        return RealHub(
            self.home / "hub",
            address,
            extra=config,
            options=PLUGIN_OPTIONS,
            snapshot_interval=SNAPSHOT_SECONDS,
            variables=self.skew(self.clocks.hub),
        )

    def _start(self, name: str, command: list[str], skew: float, url: str = "") -> None:
        log = self.home / f"{name}.log"
        self.programs[name] = start(Spec(name, command, self._environment(skew), ROOT, log, url))

    def _environment(self, skew: float) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k not in SITE_VARIABLES}
        path = os.pathsep.join([str(self.home / "clock"), str(ROOT), str(PLUGIN)])
        return kept | {
            "DJANGO_SETTINGS_MODULE": "lsp_portal.settings",
            "PORTAL_HOME": str(self.home),
            "PYTHONPATH": path,
            "CLOCK_SKEW_SECONDS": str(skew),
            "RECONCILE_SECONDS": str(RECONCILE_SECONDS),
            "HUB_CLOCK_SECONDS": str(2 * MOST_SKEW),
            MARK: str(self.home),
        }

    def _postmaster(self) -> list[str]:
        return (self.home / "postgres" / "postmaster.pid").read_text().splitlines()
