"""Import people, groups or memberships from a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.csv_files.importing import MOST_PROBLEMS, import_file
from accounts.csv_files.table import BadFileError
from lsp_portal.lib import clock
from lsp_portal.lib.acting import acting_for


class Command(BaseCommand):
    help = (
        "Import people, groups or memberships: the columns tell which. All rows or none; a second "
        "time nothing changes. docs/api.md describes the columns."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="only say what would happen")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            raw = options["file"].read_bytes()
            with acting_for(words="command import_people"):
                plan = import_file(
                    raw, dry_run=options["dry_run"], above_staff=True, at=clock.now()
                )
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error}") from error
        except BadFileError as error:
            raise CommandError(str(error)) from error
        for problem in plan.problems[:MOST_PROBLEMS]:
            self.stderr.write(str(problem))
        if plan.problems:
            raise CommandError(f"Nothing was imported: {len(plan.problems)} problems.")
        done = "Imported" if plan.applied else "Would import"
        self.stdout.write(f"{done} {plan.kind}: {plan.summary}")
