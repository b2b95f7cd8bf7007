"""Files as `import_file` takes them, line by line."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from accounts.csv_files.importing import KINDS
from accounts.csv_files.table import harmless


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, line: str) -> str:
        return line


def export_lines(kind: str) -> Iterator[str]:
    """All users, groups or memberships."""
    writer = csv.writer(_Echo())
    yield writer.writerow(KINDS[kind].COLUMNS)
    for cells in KINDS[kind].rows():
        yield writer.writerow([harmless(cell) for cell in cells])
