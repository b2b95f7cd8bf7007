"""Export for Open XDMoD.

The limit of writing is a bare COPY of the columns, that of claiming a bare INSERT of as many rows
into a table with the same indexes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from django.db import connection

from accounting.exports import xdmod
from accounting.exports.claims import Cut, claim
from accounting.exports.files import Measured
from accounting.models import ExportMark, ExportRun
from sessions.models import Hub
from tests.bench.ledger import NOW, fill, vacuum
from tests.bench.lines import Line

ROUNDS = 3
MIB = 1024**2

BARE_COPY = """
COPY (SELECT number, user_name, group_name, image, size, requested_at, ready_at, ended_at,
             cpu_millicores, memory_mib, gpus, end_reason, node
      FROM hub_sessions_session) TO STDOUT
"""
BARE_TABLE = "CREATE TABLE bench_mark (LIKE accounting_exportmark INCLUDING INDEXES)"
BARE_INSERT = """
INSERT INTO bench_mark
SELECT number, number, user_name, group_name, ready_at, ended_at, cpu_millicores, 1, 'COMPLETED',
       repeat('x', 260), hub_id, 1
FROM hub_sessions_session ORDER BY number
"""


class Nowhere:
    def write(self, data: bytes) -> None:
        """Forget it."""


def run() -> list[Line]:
    """Writing and claiming over their limits, the whole run, and what the program needs for it."""
    hub = fill()
    with connection.cursor() as cursor:
        cursor.execute(BARE_TABLE)
    seconds, grown, jobs = _whole(hub)  # first, because memory is measured at its peak
    rounds = [_round(hub) for _ in range(ROUNDS)]
    copy, insert, claiming, writing = (median(times) for times in zip(*rounds, strict=True))
    note = f"whole run {jobs / seconds:,.0f} lines/s, {copy / seconds:.2f} of the bare COPY"
    return [
        Line("export: writing lines over bare COPY", copy / writing, 0.20, 0.33, note=note),
        Line("export: claiming over bare INSERT", insert / claiming, 0.20, 0.33),
        Line("export: memory beyond that of Django", grown / MIB, 80, 50, less=True, unit="MiB"),
    ]


def _round(hub: Hub) -> tuple[float, float, float, float]:
    ExportMark.objects.all().delete()
    ExportRun.objects.all().delete()
    _execute("TRUNCATE bench_mark")
    vacuum("accounting_exportmark")
    copy = _timed(_bare_copy)
    insert = _timed(lambda: _execute(BARE_INSERT))
    claiming = _timed(lambda: claim(hub, Cut(NOW, 0), directory="", at=NOW))
    run = ExportRun.objects.get()
    return copy, insert, claiming, _timed(lambda: xdmod.copy_lines(run, Measured()))


def _whole(hub: Hub) -> tuple[float, int, int]:
    """Seconds, bytes of memory and lines of an export from nothing."""
    before = _memory()
    with tempfile.TemporaryDirectory() as directory:
        begin = time.monotonic()
        exported = xdmod.export(hub, Cut(NOW, 0), directory=Path(directory), at=NOW)
        seconds = time.monotonic() - begin
    return seconds, max(0, _memory() - before), exported.run.jobs


def _memory() -> int:
    """The most that this process ever used, in bytes."""
    status = Path("/proc/self/status").read_text()
    [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peak) * 1024


def _bare_copy() -> None:
    with connection.cursor() as cursor:
        cursor.cursor.copy_expert(BARE_COPY, Nowhere())


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _timed(work: Callable[[], object]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin
