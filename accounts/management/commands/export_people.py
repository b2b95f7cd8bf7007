"""Export people, groups or memberships as a CSV file."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.csv_files.exporting import export_lines
from accounts.csv_files.importing import KINDS


class Command(BaseCommand):
    help = "Write people, groups or memberships as CSV, as import_people takes them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=list(KINDS))

    def handle(self, *args: Any, **options: Any) -> None:
        for line in export_lines(options["kind"]):
            self.stdout.write(line, ending="")
