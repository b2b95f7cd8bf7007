"""A group's statement as a file: CSV, ODS or PDF."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC
from io import StringIO

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from accounting.group_statements.content import GroupStatement, Line, Part
from accounting.pages.csv_answer import harmless
from accounting.statements.content import Sums
from lsp_portal.lib import ods
from lsp_portal.lib.ods import Cell
from quotas.vocabulary import core_hours

MEDIA_TYPES = {"pdf": "application/pdf", "ods": ods.MEDIA_TYPE, "csv": "text/csv; charset=utf-8"}

COLUMNS = (
    "group", "period", "first_day", "last_day", "statement", "as_of", "kind", "name", "title",
    "role", "core_hours", "millicore_seconds", "mib_seconds", "gpu_seconds", "sessions",
)  # fmt: skip


def made(statement: GroupStatement, kind: str) -> bytes:
    """The file's bytes; `kind` is one of MEDIA_TYPES."""
    if kind == "pdf":
        # Drawing needs half a second of imports, which no other command is to wait for.
        from accounting.group_statements import pdf

        return pdf.document(statement)
    if kind == "ods":
        return b"".join(ods.document(statement.file_name, COLUMNS, rows(statement)))
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([harmless(str(cell)) for cell in row] for row in rows(statement))
    return text.getvalue().encode()


def answer(statement: GroupStatement, kind: str) -> HttpResponse:
    """The file as a download."""
    name = f"{statement.file_name}.{kind}"
    header = content_disposition_header(as_attachment=True, filename=name) or ""
    return HttpResponse(
        made(statement, kind), MEDIA_TYPES[kind], headers={"Content-Disposition": header}
    )


def rows(statement: GroupStatement) -> Iterator[list[Cell]]:
    """In the order of COLUMNS: the quota, the total, and everything that it is made of.

    `statement` is empty while the numbers are provisional. A correction has its period as name.
    """
    about: list[Cell] = [
        statement.group, statement.title, f"{statement.starts_on}", f"{statement.last_day}",
        statement.closed.number if statement.closed else "",
        f"{statement.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    ]  # fmt: skip
    if statement.limit is not None:
        yield [*about, "quota", "", "", "", core_hours(statement.limit), statement.limit, *[""] * 3]
    yield [*about, "total", statement.group, statement.group_title, "", *_sums(statement.total)]
    for line in statement.people or ():
        yield [*about, *_person(line)]
    for line in statement.corrections:
        words: list[Cell] = ["correction", line.about, line.name or line.title, line.role]
        yield [*about, *words, *_sums(line.sums)]
    for kind, parts in (
        ("month", statement.months), ("image", statement.images), ("size", statement.sizes),
    ):  # fmt: skip
        for part in parts:
            yield [*about, *_part(kind, part)]


def _person(line: Line) -> list[Cell]:
    return ["person", line.name, line.title, line.role, *_sums(line.sums)]


def _part(kind: str, part: Part) -> list[Cell]:
    used = part.usage
    amounts: list[Cell] = [
        core_hours(used.millicore_seconds), used.millicore_seconds, used.mib_seconds,
        used.gpu_seconds,
    ]  # fmt: skip
    return [kind, part.name, part.title, "", *amounts, ""]


def _sums(sums: Sums) -> list[Cell]:
    return [core_hours(sums.millicore_seconds), *sums.values]
