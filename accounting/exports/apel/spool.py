"""The directories from which SSM sends: a queue of files as python-dirq lays it out.

Below the queue are directories with names of 8 hexadecimal digits, in them messages with names of
14. Readers take them in the order of names and pass over all other names, so a message appears by
being renamed. The name follows from run and place: writing it again replaces it.
"""

from __future__ import annotations

from pathlib import Path

from accounting.exports.files import appearing, make_directory


def put(queue: Path, run: int, place: int, message: str) -> Path:
    """Add a message to the queue. Raises OSError."""
    folder = queue / f"{run:08x}"
    make_directory(folder)
    path = folder / f"{run:08x}{place:06x}"
    with appearing(path) as out:
        out.write(message.encode())
    return path
