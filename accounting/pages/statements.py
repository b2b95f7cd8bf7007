"""Statements as pages and files show them: administrators see all, PIs their groups' part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.http import Http404, StreamingHttpResponse

from accounting.models import Statement, StatementLine
from accounting.pages import csv_answer
from accounts.models import Group, User
from lsp_portal.lib import ods
from lsp_portal.lib.ods import Cell
from quotas.vocabulary import core_hours

COLUMNS = (
    "statement", "period", "kind", "about_period", "group", "group_title", "user", "role",
    "core_hours", "millicore_seconds", "mib_seconds", "gpu_seconds", "sessions",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """A statement with the lines that the person may see; people of one group at a time."""

    statement: Statement
    groups: list[StatementLine]
    chosen: StatementLine | None
    people: list[StatementLine]
    corrections: list[StatementLine]


def statement_or_404(number: int) -> Statement:
    found = Statement.objects.select_related("author").filter(pk=number).first()
    if found is None:
        raise Http404
    return found


def lines_or_404(statement: Statement, user: User, *, at: datetime) -> QuerySet[StatementLine]:
    """The lines that the person may see, in order of groups and people; 404 without any group."""
    if user.is_staff:
        return lines_of(statement, None)
    visible = Group.objects.visible_to(user, at=at)
    if not visible.exists():
        raise Http404
    return lines_of(statement, visible)


def lines_of(statement: Statement, groups: QuerySet[Group] | None) -> QuerySet[StatementLine]:
    """The lines of these groups, None: all, in order of groups and people."""
    found = statement.lines.select_related("user", "about", "group")
    if groups is not None:
        found = found.filter(group__in=groups)
    return found.order_by("group_name", "kind", "about", "user__username", "pk")


def shown(statement: Statement, lines: QuerySet[StatementLine], *, name: str) -> Shown:
    """The groups, and the people and corrections of the chosen one, or of the only one."""
    groups = list(lines.filter(kind=StatementLine.Kind.GROUP))
    chosen = next((line for line in groups if line.group_name == name), None)
    if chosen is None and len(groups) == 1:
        chosen = groups[0]
    people = list(
        lines.filter(kind=StatementLine.Kind.PERSON, group=chosen.group_id) if chosen else ()
    )
    corrections = lines.filter(kind=StatementLine.Kind.CORRECTION)
    if chosen:
        corrections = corrections.filter(group=chosen.group_id)
    return Shown(statement, groups, chosen, people, list(corrections))


def file_answer(
    statement: Statement, lines: QuerySet[StatementLine], kind: str
) -> StreamingHttpResponse:
    """The lines as a download, `csv` or `ods`."""
    name = f"statement-{statement.number}.{kind}"
    if kind == "ods":
        return ods.answer(name, COLUMNS, rows(statement, lines))
    texts = ([str(cell) for cell in row] for row in rows(statement, lines))
    return csv_answer.answer(name, COLUMNS, texts)


def rows(statement: Statement, lines: QuerySet[StatementLine]) -> Iterator[list[Cell]]:
    """The lines as a file has them, in the order of COLUMNS."""
    for line in lines.iterator(chunk_size=2000):
        yield [
            statement.number,
            statement.title,
            line.kind,
            line.about.title,
            line.group_name,
            line.group_title,
            line.user.username if line.user else "",
            line.role,
            core_hours(line.millicore_seconds),
            line.millicore_seconds,
            line.mib_seconds,
            line.gpu_seconds,
            line.sessions,
        ]
