"""Write job lines for Open XDMoD, each finished session exactly once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounting.exports.claims import Cut
from accounting.exports.xdmod import Exported, ExportError, export
from accounting.management.moments import moment
from lsp_portal.lib import clock
from sessions.models import Hub


class Command(BaseCommand):
    help = (
        "Export a hub's finished sessions for Open XDMoD: job lines in the Slurm format to"
        " DIR/jobs/*.log and a manifest to DIR/manifest-*.json. Each session is exported once,"
        " however often and wherever this runs; a run that was killed is finished by the next."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--hub", required=True, metavar="NAME", help="the hub to export")
        parser.add_argument(
            "--output", required=True, type=Path, metavar="DIR", help="made where it is missing"
        )
        parser.add_argument(
            "--until",
            metavar="TIME",
            help="only sessions that ended before it, such as 2026-05-01T00:00:00Z; default: now",
        )
        parser.add_argument(
            "--settle",
            type=int,
            default=0,
            metavar="SECONDS",
            help="leave out sessions that ended less than so long before --until; default: 0",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        hub = _hub(options["hub"])
        cut = _cut(moment("--until", options["until"]) or now, options["settle"])
        try:
            exported = export(hub, cut, directory=options["output"], at=now)
        except ExportError as error:
            raise CommandError(f"{error}. Nothing is lost: the next run writes it.") from error
        self.stdout.write(_sentence(exported))


def _hub(name: str) -> Hub:
    hub = Hub.objects.filter(name=name).first()
    if hub is None:
        raise CommandError(f"There is no hub {name}.")
    return hub


def _cut(until: datetime, settle: int) -> Cut:
    cut = Cut(until, settle)
    if settle < 0:
        raise CommandError("--settle must be a whole number of seconds, 0 or more.")
    try:
        cut.moment.astimezone(UTC)
    except OverflowError as error:
        raise CommandError("--until and --settle lead out of the calendar.") from error
    return cut


def _sentence(exported: Exported) -> str:
    run = exported.run
    earlier = f"; finished {exported.finished} interrupted before" if exported.finished else ""
    return (
        f"Exported {run.jobs} sessions of {run.hub} in run {run.pk}{earlier}: {exported.manifest}"
    )
