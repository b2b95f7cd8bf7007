"""A report: a page of its rows with the total of all, or every row in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from accounting.reports import statement
from accounting.reports.wish import Wish
from accounting.rollups import SUMS
from accounting.usage import Window, parameters
from quotas.vocabulary import Usage
from sessions.usage import usage

CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Label:
    """One value of a dimension; the name is empty where nobody knows it."""

    dimension: str
    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    labels: tuple[Label, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Found:
    """Some rows of a report; `count` and `total` are those of all."""

    rows: list[Row]
    count: int
    total: Usage


def page(
    wish: Wish, window: Window, *, order: str = "-core_hours", offset: int = 0, limit: int = 25
) -> Found:
    """So many rows from the offset on; all from one snapshot."""
    asked = {**_parameters(wish, window), "offset": offset, "past": offset + limit}
    text = statement.rows(wish, order=order) + PAGE.format(
        labels=_labels(wish), nothing="NULL, NULL, " * len(wish.by)
    )
    with connection.cursor() as cursor:
        cursor.execute(text, asked)
        (_, count, *all_), *shown = cursor.fetchall()
    rows = [_row(wish, row[2:]) for row in shown]
    return Found(rows, count=count, total=usage(all_[-3:]))


def total(wish: Wish, window: Window) -> Usage:
    """The sum alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            statement.rows(wish, order="core_hours") + f"SELECT {SUMS} FROM rows",
            _parameters(wish, window),
        )
        row = cursor.fetchone()
    return usage(row) if row else Usage()


def every(wish: Wish, window: Window, *, order: str = "-core_hours") -> Iterator[Row]:
    """All rows in turn, read from the database in bounded pieces and from one snapshot."""
    text = statement.rows(wish, order=order) + EVERY.format(labels=_labels(wish))
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(text, _parameters(wish, window))
        while chunk := cursor.fetchmany(CHUNK):
            for row in chunk:
                yield _row(wish, row)


EVERY = f"SELECT {{labels}} {SUMS} FROM rows ORDER BY place"

PAGE = f"""
SELECT 0 AS place, count(*) AS count, {{nothing}} coalesce(sum(millicore_seconds), 0),
       coalesce(sum(mib_seconds), 0), coalesce(sum(gpu_seconds), 0)
FROM rows
UNION ALL
SELECT place, NULL, {{labels}} {SUMS} FROM rows WHERE place > %(offset)s AND place <= %(past)s
ORDER BY place
"""


def _labels(wish: Wish) -> str:
    return "".join(f"name_{place}, title_{place}, " for place, _ in enumerate(wish.by))


def _row(wish: Wish, values: Sequence[Any]) -> Row:
    labels = tuple(
        Label(name, values[2 * place] or "", values[2 * place + 1] or "")
        for place, name in enumerate(wish.by)
    )
    return Row(labels, usage(values[-3:]))


def _parameters(wish: Wish, window: Window) -> dict[str, Any]:
    return {**parameters(window), **statement.parameters(wish)}
