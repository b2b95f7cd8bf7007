"""Take in measured storage from a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lsp_portal.lib import clock
from sessions.storage.api.serializers import NewSampleSerializer
from sessions.storage.recording import Sample, record

AT_ONCE = 500


class Command(BaseCommand):
    help = (
        "Take in measured storage from a CSV file with the columns kind (user or group), name or"
        " number, mount, taken_at and used_bytes; files, soft_bytes, hard_bytes and stale may be"
        " left out. Importing again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        counts = {"accepted": 0, "duplicates": 0, "rejected": 0}
        try:
            with options["file"].open(newline="", encoding="utf-8-sig") as file:
                for place, chunk in _chunks(csv.DictReader(file)):
                    self._import(place, chunk, counts)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CommandError(f"{options['file']} cannot be read: {error}") from error
        said = ", ".join(f"{number} {word}" for word, number in counts.items())
        if counts["rejected"]:
            raise CommandError(
                f"{options['file']}: {said}. Mend the lines above, and import again."
            )
        self.stdout.write(f"{options['file']}: {said}.")

    def _import(self, place: int, rows: list[dict[str, Any]], counts: dict[str, int]) -> None:
        samples, lines = [], []
        for line, row in enumerate(rows, start=place):
            one = NewSampleSerializer(data={"source": "file", **_filled(row)})
            if one.is_valid():
                samples.append(Sample(**one.validated_data))
                lines.append(line)
            else:
                for name, errors in one.errors.items():
                    self._reject(line, f"{name}: {errors[0]}", counts)
                    break
        recorded = record(samples, at=clock.now())
        counts["accepted"] += recorded.accepted
        counts["duplicates"] += recorded.duplicates
        for rejected in recorded.rejected:
            self._reject(lines[rejected.index], rejected.detail, counts)

    def _reject(self, line: int, why: str, counts: dict[str, int]) -> None:
        counts["rejected"] += 1
        self.stderr.write(f"line {line}: {why}")


def _filled(row: dict[Any, Any]) -> dict[str, Any]:
    """The cells that say something; surplus cells count as a column that there is not."""
    return {str(name): cell for name, cell in row.items() if cell not in ("", None)}


def _chunks(reader: csv.DictReader[str]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    place = 2  # below the columns
    while chunk := list(islice(reader, AT_ONCE)):
        yield place, chunk
        place += len(chunk)
