"""Export of a hub's finished sessions for Open XDMoD's Jobs realm, each exactly once.

A run claims its sessions in one transaction and then writes `jobs/<hub>-<run>.log` and
`manifest-<hub>-<run>.json`. One that dies in between is written by the next run, the lines as they
were claimed: names and content do not depend on who writes, so writing again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import connection, transaction

from accounting.exports import manifest
from accounting.exports.claims import Cut, claim, only_exporter, unfinished
from accounting.exports.files import Measured, appearing, make_directory
from accounting.models import ExportRun
from sessions.models import Hub

COPY = """
COPY (SELECT line FROM accounting_exportmark
      WHERE hub_id = {hub} AND job_id BETWEEN {first} AND {last}
      ORDER BY job_id) TO STDOUT
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
    run.save(update_fields=["state", "directory"])
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
    # COPY takes no parameters; these are numbers.
    last = run.first_job_id + run.jobs - 1
    statement = COPY.format(hub=int(run.hub_id), first=int(run.first_job_id), last=int(last))
    with connection.cursor() as cursor:
        cursor.cursor.copy_expert(statement, out)


def _name(run: ExportRun) -> str:
    return f"{run.hub.name}-{run.pk:08}"
