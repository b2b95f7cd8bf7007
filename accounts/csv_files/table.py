"""From bytes to rows whose cells know where they stand."""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.utils.dateparse import parse_date, parse_datetime

MOST_BYTES = 20 * 1024**2
MOST_ROWS = 50_000
DELIMITERS = ",;\t"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
YES, NO = {"yes", "true", "1"}, {"no", "false", "0"}


class BadFileError(ValueError):
    """The file as a whole cannot be read; the message says what would be right."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one cell, and what would be right."""

    line: int
    column: str
    value: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}" + (f", {self.column}" if self.column else "")
        return f"{where}: {self.message}" + (f" (found “{self.value}”)" if self.value else "")


@dataclass
class Row:
    """One row. What is wrong with its cells gathers in `problems`."""

    line: int
    cells: dict[str, str]
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, column: str, message: str) -> None:
        value = self.cells.get(column, "")[:100]
        self.problems.append(Problem(self.line, column, value, message))

    def text(self, column: str) -> str:
        return self.cells.get(column, "")

    def choice(self, column: str, allowed: Sequence[str], default: str) -> str:
        value = self.text(column).lower() or default
        if value not in allowed:
            self.wrong(column, f"Use one of {', '.join(allowed)}.")
        return value

    def yes(self, column: str, default: bool) -> bool:
        value = self.text(column).lower()
        if value and value not in YES | NO:
            self.wrong(column, "Use yes or no.")
        return value in YES if value else default

    def moment(self, column: str) -> datetime | None:
        """A moment as `2026-12-01T00:00:00Z`, or a day, which means its first moment (UTC)."""
        value = self.text(column)
        if not value:
            return None
        found = _moment(value)
        if found is None:
            self.wrong(column, "Use a day as 2026-12-01 or a moment as 2026-12-01T09:00:00Z.")
        return found

    def number(self, column: str) -> int | None:
        value = self.text(column)
        if not value:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 9):
            self.wrong(column, "Use a whole number of at most nine digits.")
            return None
        return int(value)


@dataclass(frozen=True)
class Table:
    columns: tuple[str, ...]
    rows: list[Row]


def read_table(raw: bytes) -> Table:
    """The rows of a CSV file, with or without byte order mark, by comma, semicolon or tab.

    Raises BadFileError.
    """
    if len(raw) > MOST_BYTES:
        raise BadFileError(f"The file has more than {MOST_BYTES // 1024**2} MiB. Split it.")
    text = _decoded(raw)
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        rows = [_row(reader.line_num, header, cells) for cells in reader if any(cells)]
    except csv.Error as error:
        raise BadFileError(f"Line {reader.line_num} is not CSV: {error}.") from error
    _check(header, rows)
    return Table(tuple(header), rows)


def harmless(text: str) -> str:
    """The text as a cell that no spreadsheet runs; `read_table` takes the quote off again."""
    return f"'{text}" if _needs_quote(text) else text


def _check(header: list[str], rows: list[Row]) -> None:
    if not any(header):
        raise BadFileError("The file is empty. The first line must name the columns.")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise BadFileError(f"These columns are there twice: {', '.join(twice)}.")
    if len(rows) > MOST_ROWS:
        raise BadFileError(f"The file has more than {MOST_ROWS:,} rows. Split it.")


def _decoded(raw: bytes) -> str:
    encoding = "utf-16" if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8"
    try:
        text = raw.removeprefix(BOM_UTF8).decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadFileError(f"Line {line} is not UTF-8. Save the file as “CSV UTF-8”.") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise BadFileError(f"Line {line} contains a NUL character.")
    return text


def _row(line: int, header: list[str], cells: list[str]) -> Row:
    row = Row(line, dict(zip(header, map(_plain, cells), strict=False)))
    if len(cells) != len(header):
        row.wrong("", f"There are {len(cells)} cells, and {len(header)} columns.")
    return row


def _plain(cell: str) -> str:
    cell = cell.strip(" ")
    return cell[1:] if cell.startswith("'") and _needs_quote(cell) else cell


def _needs_quote(text: str) -> bool:
    """Also what looks quoted already, so that each text comes back as it was."""
    return text.lstrip("'").startswith(FORMULA_STARTS)


def _moment(value: str) -> datetime | None:
    try:
        moment, day = parse_datetime(value), parse_date(value)
    except ValueError:  # the right form, and no such day
        return None
    if moment is not None:
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None
