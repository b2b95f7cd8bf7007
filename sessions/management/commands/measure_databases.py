"""Measure the databases that people and groups own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lsp_portal.lib import clock
from sessions.models import StorageSample
from sessions.storage.databases import MeasuringError, RoleSize, samples, sizes
from sessions.storage.recording import Sample, record


class Command(BaseCommand):
    help = (
        "Record how large the databases of each role of a PostgreSQL server are, as storage of the"
        " person or the group of that name."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dsn-file", type=Path, required=True, help="A file with the connection string."
        )
        parser.add_argument("--mount", required=True, help="How pages call the server.")

    def handle(self, *args: Any, **options: Any) -> None:
        longest = StorageSample._meta.get_field("mount").max_length or 0
        if not 0 < len(options["mount"]) <= longest:
            raise CommandError(f"--mount has 1 to {longest} characters.")
        at = clock.now()
        found = samples(self._sizes(options["dsn_file"]), mount=options["mount"], at=at)
        taken = []
        for row, sample in found:
            if isinstance(sample, Sample):
                taken.append(sample)
            else:
                self.stdout.write(f"{row.role}: {sample}")
        recorded = record(taken, at=at)
        self.stdout.write(f"{recorded.accepted} accepted, {recorded.duplicates} duplicates.")

    def _sizes(self, path: Path) -> list[RoleSize]:
        try:
            return sizes(path.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError, MeasuringError) as error:
            raise CommandError(f"The server of {path} cannot be measured: {error}") from error
