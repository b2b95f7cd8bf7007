"""Files that appear whole or not at all, whenever the program or the machine dies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedWriter
from pathlib import Path
from typing import Any


@dataclass
class Measured:
    """A writer that counts and hashes what passes; without a file it only measures."""

    file: BufferedWriter | None = None
    lines: int = 0
    size: int = 0
    hash: Any = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> None:
        if self.file:
            self.file.write(data)
        self.lines += data.count(b"\n")
        self.size += len(data)
        self.hash.update(data)


@contextmanager
def appearing(path: Path) -> Iterator[Measured]:
    """Write to a dotfile beside the path, which readers skip, and rename it once it is on disk.

    OSError (full, read-only, not a directory) leaves nothing behind.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            yield Measured(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def make_directory(path: Path) -> None:
    """The directory, with its parents, on disk and writable; OSError where that cannot be had."""
    path.mkdir(parents=True, exist_ok=True)
    probe = path / f".writable-{os.getpid()}.tmp"
    probe.touch()
    probe.unlink()
    sync_directory(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names in the directory survive a crash."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
