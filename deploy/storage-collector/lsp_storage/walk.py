"""A walk through the folders of owners, for file systems that do not count by themselves.

Several threads share the work. Memory is bounded: besides the folders that are open there is one
list of pending folders, which the walk works off depth first. A file with several names counts
once for each owner. What another file system holds is not counted.
"""

import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lsp_storage.folders import Folder

BLOCK = 512  # bytes; the unit of st_blocks, whatever the file system


class StoppedError(Exception):
    """The time is over before the walk was."""


@dataclass
class Count:
    """What was found of an owner; `troubles` names what could not be read."""

    used_bytes: int = 0
    files: int = 0
    troubles: list[str] = field(default_factory=list)


@dataclass
class Walk:
    """The walk through one folder."""

    folder: Folder
    threads: int
    ends: float
    count: Count = field(default_factory=Count)
    _pending: list[bytes] = field(default_factory=list)
    _linked: set[tuple[int, int]] = field(default_factory=set)
    _open: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _failed: BaseException | None = None

    def run(self) -> Count:
        """The whole count. Raises StoppedError, and OSError where the folder itself is away."""
        self._device = os.lstat(self.folder.path).st_dev
        self._pending = [self.folder.path]
        with ThreadPoolExecutor(self.threads) as pool:
            for worker in [pool.submit(self._work) for _ in range(self.threads)]:
                worker.result()
        if self._failed:
            raise self._failed
        return self.count

    def _work(self) -> None:
        while (path := self._next()) is not None:
            try:
                self._read(path)
            except BaseException as error:  # told by `run`, when all have stopped
                self._failed = error
            finally:
                self._done()

    def _next(self) -> bytes | None:
        """A pending folder; None when nothing is left to do."""
        with self._changed:
            while not self._pending and self._open and not self._failed:
                self._changed.wait()
            if self._failed or not self._pending:
                return None
            self._open += 1
            return self._pending.pop()

    def _done(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def _read(self, path: bytes) -> None:
        if time.monotonic() > self.ends:
            raise StoppedError
        found, below = Count(), []
        try:
            self._add(found, os.lstat(path))
            with os.scandir(path) as entries:
                for entry in entries:
                    details = self._look(found, entry)
                    if details is not None and stat.S_ISDIR(details.st_mode):
                        below.append(entry.path)
        except OSError as error:
            found.troubles.append(f"{_shown(path)}: {error.strerror}")
        self._merge(found, below)

    def _look(self, found: Count, entry: "os.DirEntry[bytes]") -> os.stat_result | None:
        """Count what is no folder; folders are counted when they are read."""
        try:
            details = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # gone meanwhile
            return None
        if details.st_dev != self._device:
            return None
        if not stat.S_ISDIR(details.st_mode) and self._is_new(details):
            self._add(found, details)
        return details

    def _is_new(self, details: os.stat_result) -> bool:
        if details.st_nlink < 2:
            return True
        key = details.st_dev, details.st_ino
        with self._changed:
            is_new = key not in self._linked
            self._linked.add(key)
        return is_new

    def _add(self, found: Count, details: os.stat_result) -> None:
        found.used_bytes += details.st_blocks * BLOCK
        found.files += 1

    def _merge(self, found: Count, below: list[bytes]) -> None:
        with self._changed:
            self.count.used_bytes += found.used_bytes
            self.count.files += found.files
            self.count.troubles += found.troubles
            self._pending += below
            self._changed.notify_all()


def _shown(path: bytes) -> str:
    return path.decode(errors="backslashreplace")
