"""A report as a file, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from accounting.reports import notes
from accounting.reports.report import Row
from accounting.reports.wish import Wish
from lsp_portal.lib.ods import Cell
from quotas.vocabulary import core_hours

AMOUNTS = ("core_hours", "millicore_seconds", "mib_seconds", "gpu_seconds")
CHUNK = 1_000


def columns(wish: Wish) -> list[str]:
    """Name and title of each dimension, of people and groups what became of them, amounts."""
    found: list[str] = []
    for name in wish.by:
        found += [name, f"{name}_title"]
        found += [f"{name}_note"] if name in notes.OF else []
    return [*found, *AMOUNTS]


def cells(wish: Wish, rows: Iterable[Row]) -> Iterator[list[Cell]]:
    """Core-hours with six digits, all else exact integers; in the order of `columns`."""
    rows = iter(rows)
    while chunk := list(islice(rows, CHUNK)):
        known = noted(wish, chunk)
        for row in chunk:
            used = row.usage
            amounts: list[Cell] = [
                core_hours(used.millicore_seconds), used.millicore_seconds, used.mib_seconds,
                used.gpu_seconds,
            ]  # fmt: skip
            yield [*_labels(row, known), *amounts]


def noted(wish: Wish, rows: Iterable[Row]) -> dict[str, notes.Notes]:
    """What became of the people and groups in the rows, by dimension."""
    found = {}
    for place, name in enumerate(wish.by):
        if name in notes.OF:
            found[name] = notes.OF[name]({row.labels[place].name for row in rows})
    return found


def _labels(row: Row, known: dict[str, notes.Notes]) -> Iterator[str]:
    for label in row.labels:
        yield label.name
        yield label.title
        if label.dimension in known:
            yield known[label.dimension].get(label.name, "")
