"""A pass over all folders of a mount, which may be stopped and goes on where it stopped."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from lsp_storage.folders import folders
from lsp_storage.readings import Reading
from lsp_storage.walk import StoppedError, Walk

Say = Callable[[str], None]


class BusyError(Exception):
    """Another process is on the same pass."""


@dataclass(frozen=True)
class Plan:
    """What to walk through, and how long at most (seconds)."""

    root: Path
    kind: str
    mount: str
    threads: int = 4
    seconds: float = float("inf")


def walked(
    plan: Plan, *, state: Path, now: Callable[[], datetime], say: Say
) -> Generator[Reading, None, None]:
    """A reading for each folder, as soon as it is counted; those of an interrupted pass first.

    What is counted is kept in `state` until the pass is over. A folder of which something could
    not be read has its reading marked stale: it is at least so much. Raises StoppedError when the
    time is over, BusyError, and OSError where the root is away.
    """
    ends = time.monotonic() + plan.seconds
    with _alone(state) as file:
        done = list(_counted(file))
        yield from done
        names = {reading.name for reading in done}
        left = [folder for folder in folders(plan.root) if folder.name not in names]
        for place, folder in enumerate(left, start=1):
            walk = Walk(folder, plan.threads, ends)
            say(f"{place} of {len(left)}: {folder.name}")
            try:
                count = walk.run()
            except FileNotFoundError:
                say(f"{folder.name} is gone")
                continue
            for trouble in count.troubles:
                say(f"not counted: {trouble}")
            reading = Reading(
                kind=plan.kind,
                mount=plan.mount,
                taken_at=now(),
                name=folder.name,
                used_bytes=count.used_bytes,
                files=count.files,
                source="walk",
                stale=bool(count.troubles),
            )
            _keep(file, reading)
            yield reading
    state.unlink()


@contextmanager
def _alone(state: Path) -> Iterator[IO[str]]:
    with state.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"another process walks for {state}") from error
        yield file


def _counted(file: IO[str]) -> Iterator[Reading]:
    """What an interrupted pass counted; a line that was cut off is counted again."""
    file.seek(0)
    for line in file:
        try:
            content = json.loads(line)
        except ValueError:
            continue
        yield Reading(**content | {"taken_at": datetime.fromisoformat(content["taken_at"])})


def _keep(file: IO[str], reading: Reading) -> None:
    file.write(reading.line() + "\n")
    file.flush()
    os.fsync(file.fileno())


__all__ = ["BusyError", "Plan", "Say", "StoppedError", "walked"]
