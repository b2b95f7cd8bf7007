"""A group's statement as PDF, to be handed to who funds it.

The same statement gives the same bytes: its time is that of the numbers, not of the making.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from decimal import Decimal

from django.conf import settings

from accounting.group_statements.content import Closed, GroupStatement, Line, Part
from accounting.group_statements.sheet import ALARM, SMALL, SOFT, TITLE, Column, Sheet
from accounting.group_statements.verifying import verify_address
from accounting.statements.content import NOTHING
from lsp_portal.lib.display import duration
from quotas.vocabulary import Usage, core_hours

MOST_PEOPLE = 500
"""So many have a row of their own: what takes longer than a second would hold the request."""

MISSING_LETTERS = "A letter that no font of this portal has is printed as \ufffd."


def document(statement: GroupStatement) -> bytes:
    """The bytes of the file."""
    sheet = Sheet(
        title=f"{statement.group_title}: usage in {statement.title}",
        foot=f"{settings.SITE_NAME} · {statement.group} · {_state(statement)}",
        at=statement.at,
    )
    _front(sheet, statement)
    _parts(sheet, statement)
    if statement.people is not None:
        _people(sheet, statement.people, has_gpus=statement.total.gpu_seconds != 0)
    _corrections(sheet, statement.corrections)
    _proof(sheet, statement)
    if sheet.has_missing:
        sheet.paragraph(MISSING_LETTERS)
    return bytes(sheet.output())


def hours(millicore_seconds: int) -> str:
    """Core-hours with all six digits: `1,234.500000`."""
    return f"{core_hours(millicore_seconds):,}"


def _state(statement: GroupStatement) -> str:
    if statement.closed:
        return f"statement {statement.closed.number}"
    return f"provisional, as of {statement.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _front(sheet: Sheet, statement: GroupStatement) -> None:
    sheet.ink(colour=SOFT)
    sheet.put(settings.SITE_NAME, sheet.epw)
    sheet.ln(7)
    sheet.ink(TITLE, bold=True)
    sheet.multi_line(statement.group_title)
    sheet.ink(11)
    sheet.multi_line(f"Usage of computing time, {statement.title}")
    sheet.ln(2)
    if statement.closed is None:
        sheet.set_fill_color(*ALARM)
        sheet.ink(bold=True)
        sheet.paragraph(
            f"PROVISIONAL. These numbers are those of {_moment(statement)} and may still change, "
            "until the allocation period is closed.",
            fill=True,
        )
        sheet.ln(2)
    sheet.ink()
    sheet.facts(_facts(statement))


def _facts(statement: GroupStatement) -> Iterable[tuple[str, str]]:
    used = statement.total
    yield "Group", f"{statement.group_title} ({statement.group})"
    yield "Time", f"{statement.starts_on} to {statement.last_day}, both included, UTC"
    if statement.closed:
        yield "Statement", f"number {statement.closed.number}, closed {_moment(statement)}"
    yield "Used", f"{hours(used.millicore_seconds)} core-hours"
    if statement.limit is not None:
        yield "Allocation", f"{hours(statement.limit)} core-hours"
        yield _left(statement.limit, used.millicore_seconds)
    if used.gpu_seconds:
        yield "GPU time", duration(used.gpu_seconds)
    yield "Memory", f"{_gib_hours(used.mib_seconds):,} GiB-hours"
    yield "Sessions", f"{used.sessions:,}, by {_count(statement.people_count)}"


def _left(limit: int, used: int) -> tuple[str, str]:
    share = f", {Decimal(100 * used) / limit:,.1f} % used" if limit else ""
    if used > limit:
        return "Beyond the allocation", f"{hours(used - limit)} core-hours{share}"
    return "Not used", f"{hours(limit - used)} core-hours{share}"


def _parts(sheet: Sheet, statement: GroupStatement) -> None:
    has_gpus = statement.total.gpu_seconds != 0
    if statement.months:
        sheet.heading("By month", room=60)
        bars = [(month.name, float(month.usage.core_hours)) for month in statement.months]
        sheet.bars(bars, unit="core-hours")
        _usage_table(sheet, "Month", statement.months, has_gpus=has_gpus)
    for title, head, parts in (
        ("By image", "Image", statement.images),
        ("By size", "Size", statement.sizes),
    ):
        if parts:
            sheet.heading(title)
            _usage_table(sheet, head, parts, has_gpus=has_gpus)
    if statement.closed and statement.changed != Usage():
        sheet.ln(2)
        sheet.paragraph(
            "Since the period was closed, what was used in it was corrected by "
            f"{hours(statement.changed.millicore_seconds)} core-hours. The parts above have the "
            "correction, the numbers that were stated have not; a later statement states it."
        )


def _usage_table(sheet: Sheet, head: str, parts: list[Part], *, has_gpus: bool) -> None:
    columns = [Column(head, 0.58), Column("Core-hours", 0.21, "R")]
    columns += [Column("GPU time", 0.21, "R")] if has_gpus else []
    total = sum((part.usage for part in parts), Usage())
    sheet.table(
        columns,
        (_cells(_named(part), part.usage, has_gpus) for part in parts),
        total=_cells("Total", total, has_gpus),
    )


def _named(part: Part) -> str:
    return f"{part.title} ({part.name})" if part.name not in ("", part.title) else part.title


def _cells(name: str, usage: Usage, has_gpus: bool) -> list[str]:
    cells = [name, hours(usage.millicore_seconds)]
    return [*cells, duration(usage.gpu_seconds)] if has_gpus else cells


def _people(sheet: Sheet, people: list[Line], *, has_gpus: bool) -> None:
    if not people:
        return
    columns = [
        Column("Person", 0.32), Column("User name", 0.18), Column("Role", 0.11),
        Column("Sessions", 0.1, "R"), Column("Core-hours", 0.15, "R"),
    ]  # fmt: skip
    columns += [Column("GPU time", 0.14, "R")] if has_gpus else []
    sheet.heading("By person")
    shown, others = people[:MOST_PEOPLE], people[MOST_PEOPLE:]
    rows = [_person(line, has_gpus) for line in shown]
    if others:
        rest = sum((line.sums for line in others), NOTHING)
        rows.append(_person(Line("", f"{len(others):,} others, named in the CSV", "", rest),
                            has_gpus))  # fmt: skip
    total = sum((line.sums for line in people), NOTHING)
    sheet.table(columns, rows, total=_person(Line("", "Total", "", total), has_gpus))


def _person(line: Line, has_gpus: bool) -> list[str]:
    sums = line.sums
    words = [line.title, line.name, line.role_word]
    cells = [*words, f"{sums.sessions:,}", hours(sums.millicore_seconds)]
    return [*cells, duration(sums.gpu_seconds)] if has_gpus else cells


def _corrections(sheet: Sheet, lines: list[Line]) -> None:
    if not lines:
        return
    sheet.heading("Corrections of earlier periods")
    sheet.paragraph("By how much what is true differs from what earlier statements say.")
    columns = (
        Column("Period", 0.3), Column("Person", 0.42), Column("Core-hours", 0.28, "R"),
    )  # fmt: skip
    total = sum((line.sums for line in lines), NOTHING)
    sheet.table(
        columns,
        ([line.about, line.title, hours(line.sums.millicore_seconds)] for line in lines),
        total=["Total", "", hours(total.millicore_seconds)],
    )


def _proof(sheet: Sheet, statement: GroupStatement) -> None:
    sheet.heading("How these numbers come about, and how to check them")
    sheet.ink(SMALL)
    sheet.paragraph(
        "A session costs its seconds times its CPU in thousandths, divided by 3,600,000, in "
        "core-hours. Sums are kept as whole numbers and rounded to six digits for printing alone. "
        "A day is one in UTC."
    )
    if statement.closed is None:
        sheet.paragraph("A statement that can be checked exists once the period is closed.")
        return
    _frozen(sheet, statement, statement.closed)


def _frozen(sheet: Sheet, statement: GroupStatement, closed: Closed) -> None:
    sheet.ln(1)
    sheet.paragraph(
        f"Statement {closed.number} is frozen: nothing in it is edited, what changes later is a "
        "correction in a later one. Its SHA-256 covers all groups and the statement before it:"
    )
    sheet.paragraph(closed.hash)
    if closed.previous_hash:
        sheet.paragraph(f"The one before it: {closed.previous_hash}")
    sheet.ln(1)
    sheet.paragraph("The portal says under this address, without signing in, what was stated:")
    sheet.ink(SMALL, colour=(10, 88, 202))
    address = verify_address(closed.number, statement.group)
    sheet.link_line(address)
    sheet.ink()


def _moment(statement: GroupStatement) -> str:
    return f"{statement.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _gib_hours(mib_seconds: int) -> Decimal:
    return (Decimal(mib_seconds) / (1024 * 3600)).quantize(Decimal("0.000001"))


def _count(people: int) -> str:
    return "one person" if people == 1 else f"{people:,} people"
