"""Export of a hub's sessions for APEL: cloud records, and accelerator records for GPUs.

A run claims its records in one transaction and then writes messages of up to a thousand records
into the queues `cloud` and `accelerator` of a directory. A run that dies in between is written by
the next one, under the same names. APEL keeps the newest record of each session and month, so
sending a message twice changes nothing there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet

from accounting.exports.apel import spool
from accounting.exports.apel.claims import claim
from accounting.exports.apel.records import Site, accelerator_message, cloud_message
from accounting.exports.files import make_directory
from accounting.models import ApelMark, ApelRun
from lsp_portal.lib import advisory
from sessions.models import Hub

RECORDS_PER_MESSAGE = 1000


class ApelExportError(Exception):
    """The queues cannot be written. Nothing is lost: the next run writes what was claimed."""

    code = "export_failed"


@dataclass(frozen=True, slots=True)
class Exported:
    """The run of this call, what it refused by reason, and how many earlier ones it finished."""

    run: ApelRun
    refused: Counter[str]
    finished: int


def export(
    hub: Hub, site: Site, *, until: datetime, provider: str, directory: Path, at: datetime
) -> Exported:
    """Finish what earlier runs left, then claim and write what is due. Raises ApelExportError."""
    directory = directory.absolute()
    try:
        make_directory(directory)
        with advisory.held(f"APEL export of {hub.name}"):
            earlier = _unfinished(hub)
            for run in earlier:
                _write(run, directory)
            claimed = claim(
                hub, site, until=until, provider=provider, directory=str(directory), at=at
            )
            _write(claimed.run, directory)
            return Exported(claimed.run, claimed.refused, len(earlier))
    except OSError as error:
        message = f"{directory} cannot be written: {error.strerror or error}"
        raise ApelExportError(message) from error


def _unfinished(hub: Hub) -> list[ApelRun]:
    return list(ApelRun.objects.filter(hub=hub, state=ApelRun.State.CLAIMED).order_by("pk"))


def _write(run: ApelRun, directory: Path) -> None:
    """Write the messages of a claimed run."""
    with transaction.atomic():
        marks = ApelMark.objects.filter(run=run).order_by("pk")
        for place, chunk in enumerate(_chunks(marks)):
            message = cloud_message([mark.cloud for mark in chunk], made_at=run.started_at)
            spool.put(directory / "cloud", run.pk, place, message)
        for place, chunk in enumerate(_chunks(marks.exclude(accelerator=None))):
            message = accelerator_message([mark.accelerator for mark in chunk if mark.accelerator])
            spool.put(directory / "accelerator", run.pk, place, message)
    run.state, run.directory = ApelRun.State.WRITTEN, str(directory)
    run.save(update_fields=["state", "directory"])


def _chunks(marks: QuerySet[ApelMark]) -> Iterator[list[ApelMark]]:
    """The marks of one message after the other."""
    last = 0
    while chunk := list(marks.filter(pk__gt=last)[:RECORDS_PER_MESSAGE]):
        yield chunk
        last = chunk[-1].pk
