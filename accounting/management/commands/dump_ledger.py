"""Write the whole ledger for analysts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounting.exports.ledger import dump


class Command(BaseCommand):
    help = (
        "Write every charge, with what its session tells, to FILE (CSV, UTC, exact integers). The"
        " file appears whole or not at all. Without --names each person is a pseudonym that means"
        " the same within the file and nothing beyond it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", required=True, type=Path, metavar="FILE")
        parser.add_argument("--names", action="store_true", help="write people by user name")

    def handle(self, *args: Any, **options: Any) -> None:
        path = options["output"].absolute()
        try:
            charges = dump(path, has_names=options["names"])
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        self.stdout.write(f"Wrote {charges} charges to {path}.")
