"""Storage for Open XDMoD: one file of JSON for each day, as `xdmod-shredder -f storage` reads it.

The receiver takes no corrections and averages two snapshots of a day, so each day leaves once, when
it is over. It refuses null, wants moments that end in Z, and takes a missing threshold for 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from accounting.exports.files import Measured, appearing, make_directory
from accounting.exports.storage_days import Stored, Written, due_days, mark, stored_on
from accounting.exports.xdmod_tables.rules import refusal

RECEIVER = "xdmod"
LONGEST_RESOURCE, LONGEST_MOUNT = 200, 255


def export_storage(resource: str, *, directory: Path, at: datetime) -> Written:
    """Write every day that is over and was not written before. Raises OSError."""
    make_directory(directory)
    written = Written()
    receiver = f"{RECEIVER}:{resource}"
    with due_days(receiver, at=at) as days:
        for day in days:
            before = written.records
            path = directory / f"{resource}-{day}.json"
            if path.exists():  # of a run that died before it could say so
                written.records += len(json.loads(path.read_bytes()))
            else:
                with appearing(path) as out:
                    _write(out, day, resource, written)
            mark(receiver, day, records=written.records - before, at=at)
            written.days += 1
    return written


def _write(out: Measured, day: date, resource: str, written: Written) -> None:
    """A day as one array, record by record."""
    separator = b"["
    for record in _records(day, resource, written):
        out.write(separator + b"\n" + json.dumps(record).encode())
        separator = b","
    out.write(b"[]\n" if separator == b"[" else b"\n]\n")


def _records(day: date, resource: str, written: Written) -> Iterator[dict[str, Any]]:
    for stored in stored_on(day):
        reason = why_not(stored)
        if reason:
            written.refused[reason] += 1
        else:
            written.records += 1
            yield record(resource, stored)


def why_not(stored: Stored) -> str | None:
    """Why the receiver cannot be told; None where it can."""
    if stored.group is None:
        return "no_group"
    if stored.user is None:
        return "no_pi"
    if stored.files is None:
        return "files_not_counted"
    if len(stored.mount) > LONGEST_MOUNT:
        return "long_mount"
    return refusal(stored.user, frozenset({stored.group})) or refusal(stored.group)


def record(resource: str, stored: Stored) -> dict[str, Any]:
    """One record: bytes, and a moment in UTC."""
    known = {
        "resource": resource[:LONGEST_RESOURCE],
        "mountpoint": stored.mount,
        "user": stored.user,
        "pi": stored.group,
        "dt": stored.taken_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "file_count": stored.files,
        "logical_usage": stored.used_bytes,
        "soft_threshold": stored.soft_bytes or None,
        "hard_threshold": stored.hard_bytes or None,
    }
    return {name: value for name, value in known.items() if value is not None}
