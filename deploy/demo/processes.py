"""Starting programs, waiting for them, ending them with everything they started."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil

PR_SET_PDEATHSIG = 1  # prctl(2)
TAIL_LINES = 15


class ProgramDiedError(Exception):
    """A program ended although it should run; the text tells what it wrote last."""


@dataclass(frozen=True)
class Spec:
    """What a program is: its command, where it runs and writes, and where it answers."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    url: str = ""
    seconds_to_stop: float = 10


@dataclass(frozen=True)
class Program:
    """A running program of ours, the leader of its process group."""

    spec: Spec
    process: subprocess.Popen[bytes]

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs."""
        return self.process.poll()

    def died(self) -> ProgramDiedError:
        """What to say about its end."""
        return ProgramDiedError(
            f"{self.spec.name} ended with code {self.code}. "
            f"The end of {self.spec.log}:\n{tail(self.spec.log)}"
        )

    def stop(self) -> None:
        """Ask the program to end, and end it when it does not."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(self.spec.seconds_to_stop)
        self.end_group()

    def end_group(self) -> None:
        """End the program and what it started and left, servers of people excepted."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start(spec: Spec) -> Program:
    """Start a program; its output goes to the log. It is told to end when we are killed."""
    with spec.log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  # commands of this program alone
            spec.command,
            env=dict(spec.environment),
            cwd=spec.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C reaches only us: the order of ending matters
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
    return Program(spec, process)


def wait_for(program: Program, *, seconds: float) -> None:
    """Wait until the program answers at its address. Raises ProgramDiedError."""
    limit = time.monotonic() + seconds
    while not answers(program.spec.url):
        if program.code is not None:
            raise program.died()
        if time.monotonic() > limit:
            raise ProgramDiedError(
                f"{program.spec.name} does not answer at {program.spec.url} after {seconds:.0f} s. "
                f"The end of {program.spec.log}:\n{tail(program.spec.log)}"
            )
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether all is well at that address."""
    try:
        with urlopen(url, timeout=5):  # noqa: S310  # our own http addresses
            return True
    except OSError:  # an HTTPError is one, too: the hub's proxy answers 404 before the hub does
        return False


def tail(log: Path) -> str:
    """The last lines of a log."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])


def end_marked(name: str, value: str) -> int:
    """End every process whose environment has that variable; the number of them.

    Servers of people and the hub's proxy outlive a hub that was killed.
    """
    found = [process for process in _marked(name, value) if process.pid != os.getpid()]
    for process in found:
        with suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(found, timeout=5)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    return len(found)


def _marked(name: str, value: str) -> Iterable[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(name) == value:
                yield process


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
