"""Let go of what its time is over for."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lsp_portal.lib import clock
from lsp_portal.privacy.retention import RetentionRunsError, apply_retention, preview


class Command(BaseCommand):
    help = "Remove what is older than the KEEP_ settings say, as the worker does every night."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count what would go")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            for what, rows in preview(at=clock.now()):
                self.stdout.write(f"{rows:>10,} {what}")
            return
        try:
            rows = apply_retention(at=clock.now(), progress=self._say)
        except RetentionRunsError as error:
            raise CommandError("Another process applies retention. Try again later.") from error
        self.stdout.write(f"Let go of {rows:,} rows or parts of rows.")

    def _say(self, what: str, rows: int) -> None:
        self.stderr.write(f"{rows:,} {what}")
