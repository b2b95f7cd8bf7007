"""The folders below a mount that stand for owners: one for each person or group."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folder:
    """A folder and whose it is."""

    path: bytes
    name: str


def folders(root: Path) -> Iterator[Folder]:
    """The folders below the root by name; links are no folders.

    A name that is no text is shown with its bytes escaped, so that it can be found and mended.
    Raises OSError.
    """
    with os.scandir(os.fsencode(root)) as entries:
        found = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    for entry in sorted(found, key=lambda entry: entry.name):
        yield Folder(entry.path, shown(entry.name))


def shown(name: bytes) -> str:
    """A file name as printable text; what is not printable is escaped."""
    text = name.decode(errors="backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode()
