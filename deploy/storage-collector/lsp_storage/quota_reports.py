"""Reports of file systems that count by themselves: XFS, and ext4 with quotas.

Both are read as their own tools print them, by number, so that no name can be mistaken.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import StringIO

from lsp_storage.readings import Reading

KIB = 1024

# xfs_quota -x -c "report -u -n -N -b -i" MOUNT (-p for projects, -g for groups): number, blocks of
# 1 KiB used, soft, hard, warnings, [grace], inodes used, soft, hard, warnings, [grace].
XFS_COMMAND = "report -{kind} -n -N -b -i"
XFS_LINE = re.compile(
    r"#(?P<number>\d+)\s+(?P<used>\d+)\s+(?P<soft>\d+)\s+(?P<hard>\d+)\s+\d+\s+\[[^]]*\]"
    r"\s+(?P<files>\d+)\s+\d+\s+\d+\s+\d+\s+\[[^]]*\]\s*"
)

# repquota -u -n -O csv MOUNT (-g for groups).
EXT_COLUMNS = {"BlockUsed", "BlockSoftLimit", "BlockHardLimit", "FileUsed"}
EXT_OWNER = re.compile(r"#(\d+)")


class BadReportError(ValueError):
    """A report that is not as the tool prints it; the text has the line."""


@dataclass(frozen=True)
class Measured:
    """Where and when a report was made, and whose numbers it holds (user or group)."""

    kind: str
    mount: str
    taken_at: datetime


def xfs(report: str, measured: Measured) -> Iterator[Reading]:
    """The readings of a report of `xfs_quota`. Raises BadReportError."""
    for place, line in enumerate(report.splitlines(), start=1):
        if not line.strip():
            continue
        found = XFS_LINE.fullmatch(line)
        if found is None:
            raise BadReportError(f"line {place} is no line of xfs_quota -c '{XFS_COMMAND}': {line}")
        numbers = {name: int(value) for name, value in found.groupdict().items()}
        yield Reading(
            kind=measured.kind,
            mount=measured.mount,
            taken_at=measured.taken_at,
            number=numbers["number"],
            used_bytes=numbers["used"] * KIB,
            soft_bytes=numbers["soft"] * KIB,
            hard_bytes=numbers["hard"] * KIB,
            files=numbers["files"],
            source="xfs",
        )


def ext(report: str, measured: Measured) -> Iterator[Reading]:
    """The readings of a report of `repquota -n -O csv`. Raises BadReportError."""
    rows = csv.DictReader(StringIO(report))
    columns = list(rows.fieldnames or [])
    if not set(columns) >= EXT_COLUMNS:
        raise BadReportError(f"line 1 has not the columns of repquota -n -O csv: {columns}")
    for place, row in enumerate(rows, start=2):
        owner = EXT_OWNER.fullmatch(row[columns[0]] or "")
        try:
            amounts = {name: int(row[name]) for name in EXT_COLUMNS}
        except (TypeError, ValueError) as error:
            raise BadReportError(f"line {place} holds no numbers: {row}") from error
        if owner is None:
            raise BadReportError(f"line {place} names no number: run repquota with -n: {row}")
        yield Reading(
            kind=measured.kind,
            mount=measured.mount,
            taken_at=measured.taken_at,
            number=int(owner[1]),
            used_bytes=amounts["BlockUsed"] * KIB,
            soft_bytes=amounts["BlockSoftLimit"] * KIB,
            hard_bytes=amounts["BlockHardLimit"] * KIB,
            files=amounts["FileUsed"],
            source="ext",
        )
