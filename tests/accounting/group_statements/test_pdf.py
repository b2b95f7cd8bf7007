"""Statements on paper: any name, any length, every script that a font has."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from pypdf import PdfReader
from pytest_django import Settings

from accounting.group_statements import pdf, sheet
from accounting.group_statements.content import GroupStatement, Line, Part
from accounting.statements.content import NOTHING, Sums
from lsp_portal.lib.plain_text import plain_text
from quotas.vocabulary import Usage

NOTHING_USED = GroupStatement(
    group="transients",
    group_title="Transients",
    title="2026",
    starts_on=date(2026, 1, 1),
    ends_on=date(2027, 1, 1),
    at=datetime(2026, 5, 1, tzinfo=UTC),
    closed=None,
    limit=None,
    total=NOTHING,
    people_count=0,
    people=[],
    corrections=[],
    months=[],
    images=[],
    sizes=[],
)


def pages(statement: GroupStatement) -> list[str]:
    reader = PdfReader(io.BytesIO(pdf.document(statement)))
    return [page.extract_text() for page in reader.pages]


def people(*names: str) -> GroupStatement:
    lines = [
        Line(f"user{number}", name, "member", Sums(3_600_000 * (number + 1), 0, 0, 1))
        for number, name in enumerate(names)
    ]
    total = sum((line.sums for line in lines), NOTHING)
    return replace(NOTHING_USED, people=lines, total=total, people_count=len(lines))


def test_a_long_table_goes_over_pages_that_repeat_its_head() -> None:
    found = pages(people(*(f"Person {number}" for number in range(150))))
    assert len(found) > 3
    with_rows = [page for page in found if "Person 1" in page]
    assert all("User name" in page for page in with_rows)
    assert all(f"Person {number} " in "\n".join(found) for number in range(150))
    assert f"page 2 of {len(found)}" in found[1]


def test_of_very_many_people_the_largest_are_named_and_the_others_summed() -> None:
    count = pdf.MOST_PEOPLE + 7
    statement = people(*(f"Person {number}" for number in range(count)))
    said = "\n".join(pages(statement))
    assert "7 others, named in the CSV" in said
    rest = sum(range(pdf.MOST_PEOPLE + 1, count + 1))
    assert f"7 {rest:,}.000000" in said
    assert f"{sum(range(count + 1)):,}.000000" in said


@pytest.mark.parametrize(
    "name", ["Łukasz Čapek", "Ελένη Παπαδοπούλου", "Иван Петров", "Հայկ Բարսեղյան", "Nguyễn Văn Ơn"]
)
def test_names_in_other_letters_are_printed(name: str) -> None:
    said = "\n".join(pages(people(name)))
    assert name in said
    assert pdf.MISSING_LETTERS not in said


@pytest.mark.parametrize("name", ["محمد العربي", "שרה כהן"])
def test_names_from_right_to_left_keep_their_words(name: str) -> None:
    said = "\n".join(pages(people(name, "Alice Example")))
    assert all(word in said or word[::-1] in said for word in name.split())
    assert "Alice Example" in said
    assert pdf.MISSING_LETTERS not in said


def test_letters_that_no_font_has_are_marked_and_explained() -> None:
    said = "\n".join(pages(people("王小明 Wang")))
    assert "\ufffd\ufffd\ufffd Wang" in said
    assert pdf.MISSING_LETTERS in said


def test_a_site_can_name_more_fonts(settings: Settings) -> None:
    settings.STATEMENT_FONTS = [str(sheet.FONTS / "DejaVuSans.ttf")]
    assert "Alice" in "\n".join(pages(people("Alice")))


@pytest.mark.parametrize(
    "name",
    [
        "=HYPERLINK(1)", "<b>Bold</b> & **stars** __lines__", "a" * 300, "two\nlines\x00\x1b[0m",
        "evil\u202etxt.exe", "", " ", "{nb}", "(a) \\ b",
    ],
)  # fmt: skip
def test_awkward_names_do_no_harm(name: str) -> None:
    statement = replace(people(name), group_title=name, title=name)
    letters = "".join("".join(pages(statement)).split())
    expected = "".join(plain_text(name).split())
    if name != "{nb}":
        assert expected in letters


def test_months_below_zero_and_without_use_have_bars() -> None:
    months = [
        Part(f"2026-{number:02}", f"2026-{number:02}", Usage(amount))
        for number, amount in enumerate((0, -3_600_000, 7_200_000), start=1)
    ]
    said = "\n".join(pages(replace(NOTHING_USED, months=months)))
    assert "-1.000000" in said
    assert "2.00 core-hours" in said
    assert pages(replace(NOTHING_USED, months=[Part("2026-01", "2026-01", Usage())]))
