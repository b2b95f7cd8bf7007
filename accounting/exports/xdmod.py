"""Export of a hub's finished sessions for Open XDMoD's Jobs realm, each exactly once.

A run claims its sessions in one transaction and then writes `jobs/<hub>-<run>.log` and
`manifest-<hub>-<run>.json`. One that dies in between is written by the next run, the lines as they
were claimed: names and content do not depend on who writes, so writing again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from accounting.exports import manifest
from accounting.exports.claims import Cut, claim, only_exporter, unfinished
from accounting.exports.files import Measured, appearing, make_directory
from accounting.exports.lines import FIELDS, LINE, SETTINGS
from accounting.models import ExportRun
from sessions.models import Hub

LINES_AT_ONCE = 100_000  # what can be sorted in memory

# Fields have no character that COPY would write otherwise.
COPY = f"""
COPY (
    SELECT {LINE}
    FROM (
        SELECT {FIELDS} FROM accounting_exportmark m
        WHERE m.run_id = {{run}} AND m.job_id BETWEEN {{first}} AND {{last}} ORDER BY m.job_id
    ) m
) TO STDOUT (DELIMITER '|')
"""


class ExportError(Exception):
    """The files cannot be written. Nothing is lost: the next run writes what was claimed."""

    code = "export_failed"


@dataclass(frozen=True, slots=True)
class Exported:
    """The run of this call, and how many earlier ones it finished."""

    run: ExportRun
    manifest: Path
    finished: int


def export(hub: Hub, cut: Cut, *, directory: Path, at: datetime) -> Exported:
    """Finish what earlier runs left, then claim and write what is due. Raises ExportError."""
    directory = directory.absolute()
    try:
        make_directory(directory / "jobs")
        with only_exporter(hub):
            earlier = unfinished(hub)
            for run in earlier:
                _finish(run, directory)
            run = claim(hub, cut, directory=str(directory), at=at)
            return Exported(run, _finish(run, directory), len(earlier))
    except OSError as error:
        raise ExportError(f"{directory} cannot be written: {error.strerror or error}") from error


def _finish(run: ExportRun, directory: Path) -> Path:
    """Write the files of a claimed run; a job file that already stands where it was begun stays."""
    files = [_write_jobs(run, directory)] if run.jobs else []
    path = directory / f"manifest-{_name(run)}.json"
    with appearing(path) as out, transaction.atomic():
        manifest.write(run, files, out)
    run.state, run.directory = ExportRun.State.WRITTEN, str(directory)
    run.sha256 = "".join(file.measured.hash.hexdigest() for file in files)
    run.save(update_fields=["state", "directory", "sha256"])
    return path


def _write_jobs(run: ExportRun, directory: Path) -> manifest.Published:
    name = f"jobs/{_name(run)}.log"
    begun = Path(run.directory) / name
    if Path(run.directory) != directory and begun.exists():
        measured = Measured()
        copy_lines(run, measured)
        return manifest.Published(str(begun), measured)
    with appearing(directory / name) as measured:
        copy_lines(run, measured)
    return manifest.Published(name, measured)


def copy_lines(run: ExportRun, out: Measured) -> None:
    """The lines of the run's marks, by job id: always the same."""
    past = run.first_job_id + run.jobs
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SETTINGS)
        for first in range(run.first_job_id, past, LINES_AT_ONCE):
            last = min(first + LINES_AT_ONCE, past) - 1
            cursor.cursor.copy_expert(_copy(run, cursor, first, last), out)


def _copy(run: ExportRun, cursor: Any, first: int, last: int) -> str:
    """The statement; COPY takes no parameters."""
    name = cursor.mogrify("%s::text", [run.hub.name]).decode()
    return COPY.format(name=name, run=int(run.pk), first=int(first), last=int(last))


def _name(run: ExportRun) -> str:
    return f"{run.hub.name}-{run.pk:08}"
