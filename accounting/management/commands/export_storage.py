"""Write measured storage for Open XDMoD or for APEL."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounting.exports import xdmod_storage
from accounting.exports.apel import star
from lsp_portal.lib import clock

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Command(BaseCommand):
    help = (
        "Write every day of measured storage that is over and was not written before: for Open"
        " XDMoD one file of JSON a day, for APEL StAR records in a queue from which SSM sends."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("receiver", choices=("xdmod", "apel"))
        parser.add_argument(
            "--resource", required=True, help="the storage system, as the receiver knows it"
        )
        parser.add_argument("--site", help="apel: the site's name in the registry")
        parser.add_argument(
            "--output", required=True, type=Path, metavar="DIR", help="made where it is missing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        resource, directory = options["resource"], options["output"].absolute()
        if not NAME.fullmatch(resource):
            raise CommandError("--resource is letters, digits, dots, hyphens and underscores.")
        if options["receiver"] == "apel" and not (options["site"] or "").strip():
            raise CommandError("apel needs --site, the site's name in the registry.")
        at = clock.now()
        try:
            if options["receiver"] == "xdmod":
                written = xdmod_storage.export_storage(resource, directory=directory, at=at)
            else:
                written = star.export_storage(options["site"], resource, directory=directory, at=at)
        except OSError as error:
            raise CommandError(f"{directory} cannot be written: {error.strerror}.") from error
        self.stdout.write(
            f"Wrote {written.records} records of {written.days} days to {directory}"
            f"{_refused(written.refused)}"
        )


def _refused(refused: Counter[str]) -> str:
    return "".join(f"; left out {count} ({reason})" for reason, count in sorted(refused.items()))
