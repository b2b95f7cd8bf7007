"""Export for Open XDMoD, whole: claim, job file and manifest, over a bare COPY of the columns.

The limit of claiming is a bare INSERT of as many rows into a table with the same indexes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from django.db import connection

from accounting.exports import xdmod
from accounting.exports.claims import Cut, claim
from accounting.exports.files import Measured
from accounting.models import ExportRun
from sessions.models import Hub
from tests.bench.ledger import COUNT, NOW, fill, vacuum
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
INSERT INTO bench_mark (session_id, run_id, submitted_at, started_at, ended_at, job_id,
    cpu_millicores, cpus, memory_mib, gpus, uid, gid, exit_code, user_name, group_name, job_state,
    size, node, image)
SELECT number, 1, requested_at, ready_at, ended_at, number, cpu_millicores, 1, memory_mib, gpus,
       user_id, group_id, 0, user_name, group_name, 'COMPLETED', size, node, image
FROM hub_sessions_session ORDER BY number
"""


class Nowhere:
    def write(self, data: bytes) -> None:
        """Forget it."""


def run() -> list[Line]:
    """The whole run and its parts over their limits, and what the program needs for it."""
    hub = fill()
    with connection.cursor() as cursor:
        cursor.execute(BARE_TABLE)
    grown = _grown(hub)  # first, because memory is measured at its peak
    rounds = [_round(hub) for _ in range(ROUNDS)]
    copy, whole, insert, claiming, writing = (median(times) for times in zip(*rounds, strict=True))
    ratio = median(bare / ours for bare, ours, *_ in rounds)
    note = f"{COUNT:,} sessions, {COUNT / whole:,.0f} a second"
    return [
        Line("export: whole run over bare COPY", ratio, 0.15, 0.30, note=note),
        Line("export: writing lines over bare COPY", copy / writing, 0.20, 0.33),
        Line("export: claiming over bare INSERT", insert / claiming, 0.20, 0.33),
        Line("export: memory beyond that of Django", grown / MIB, 80, 50, less=True, unit="MiB"),
    ]


def _round(hub: Hub) -> tuple[float, float, float, float, float]:
    _forget()
    copy = _timed(_bare_copy)
    whole = _timed(partial(_export, hub))
    _forget()
    insert = _timed(lambda: _execute(BARE_INSERT))
    claiming = _timed(lambda: claim(hub, Cut(NOW, 0), directory="", at=NOW))
    run = ExportRun.objects.get()
    return copy, whole, insert, claiming, _timed(lambda: xdmod.copy_lines(run, Measured()))


def _forget() -> None:
    _execute("TRUNCATE bench_mark, accounting_exportmark, accounting_exportrun")
    vacuum("accounting_exportmark")


def _export(hub: Hub) -> None:
    with tempfile.TemporaryDirectory() as directory:
        xdmod.export(hub, Cut(NOW, 0), directory=Path(directory), at=NOW)


def _grown(hub: Hub) -> int:
    """Bytes of memory that an export from nothing takes."""
    before = _memory()
    _export(hub)
    return max(0, _memory() - before)


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
