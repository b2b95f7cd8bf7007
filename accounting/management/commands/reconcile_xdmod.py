"""Write the reconciliation sheet of a hub's exports."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounting.exports import sheet
from accounting.exports.files import appearing, make_directory
from accounting.exports.manifest import core_seconds
from lsp_portal.lib import clock
from sessions.models import Hub


class Command(BaseCommand):
    help = (
        "Write what was exported of a hub against its ledger to FILE (CSV, core-seconds), by month"
        " and group: exported, what rounding to whole CPUs adds, what changed since, what waits."
        " Each row adds up to the ledger."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--hub", required=True, metavar="NAME", help="the hub that is exported")
        parser.add_argument("--output", required=True, type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        hub = Hub.objects.filter(name=options["hub"]).first()
        if hub is None:
            raise CommandError(f"There is no hub {options['hub']}.")
        path = options["output"].absolute()
        try:
            total = _write(hub, path, at=clock.now())
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        self.stdout.write(
            f"Wrote {path}: {core_seconds(total.exported)} core-seconds exported"
            f" (+ {core_seconds(total.rounding)} of rounding to whole CPUs at the receiver),"
            f" {core_seconds(total.ledger)} in the ledger of {hub}."
        )


def _write(hub: Hub, path: Path, *, at: datetime) -> sheet.Row:
    total = sheet.NOTHING
    make_directory(path.parent)
    with appearing(path) as out, transaction.atomic():
        out.write(_line(sheet.COLUMNS))
        for row in sheet.rows(hub, at=at):
            total = sheet.total(total, row)
            out.write(_line(row.cells()))
        out.write(_line(total.cells()))
    return total


def _line(cells: Sequence[str]) -> bytes:
    buffer = StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode()
