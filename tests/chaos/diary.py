"""What single-user servers noted of themselves: the truth that records are compared with."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.script import Place


@dataclass(frozen=True)
class Life:
    """One single-user server: when it began to answer and when it ended, in true seconds."""

    file: Path
    place: Place
    pid: int
    began: float
    ended: float | None

    @property
    def session(self) -> str:
        return self.file.name


def read(folder: Path) -> list[Life]:
    """All servers that ever ran."""
    return [life for file in sorted(folder.iterdir()) if (life := _life(file))]


def kill(life: Life) -> None:
    """kill -9, and its diary says so."""
    with suppress(ProcessLookupError):
        os.kill(life.pid, signal.SIGKILL)
        note_end(life)


def note_end(life: Life) -> None:
    with life.file.open("a") as diary:
        diary.write(f"ended {time.time():.3f}\n")


def _life(file: Path) -> Life | None:
    """None for a server that is just writing its first line."""
    lines = [line.split() for line in file.read_text().splitlines()]
    if not lines:
        return None
    place, pid, _, began = lines[0]
    user, _, server = place.partition("/")
    ended = min(_ends(lines), default=None)
    return Life(file, Place(user, server), int(pid), float(began), ended)


def _ends(lines: list[list[str]]) -> Iterator[float]:
    return (float(line[1]) for line in lines if line[0] == "ended")
