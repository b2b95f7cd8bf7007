"""Sheets of paper: fonts that know most scripts, tables over many pages, bars.

Written by fpdf2; tables are drawn row by row, since those of the library take ten times as long.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from django.conf import settings
from fpdf import FPDF
from fpdf.enums import MethodReturnValue
from fpdf.fonts import TTFFont

from lsp_portal.lib.plain_text import plain_text

FONTS = Path(__file__).parent / "fonts"
FAMILY = "DejaVu"
TEXT, SMALL, TITLE = 8.5, 7.5, 17.0  # points
MARGIN, ROW, LINE = 16.0, 5.2, 4.2  # millimetres
INK, SOFT, RULE, BAR, ALARM = (
    (33, 37, 41), (90, 98, 104), (206, 212, 218), (13, 110, 253), (255, 243, 205),
)  # fmt: skip
MISSING = "\ufffd"
FIRST_SHAPED = "\u0590"  # Hebrew; letters of the scripts before stand alone, from left to right


@dataclass(frozen=True, slots=True)
class Column:
    """The widths of a table's columns are shares of the page, in proportion to each other."""

    head: str
    width: float
    align: Literal["L", "R"] = "L"


class Sheet(FPDF):
    """Pages in A4 with a foot; `foot` stands beside the number of the page."""

    def __init__(self, *, title: str, foot: str, at: datetime) -> None:
        super().__init__()
        self.set_creation_date(at)  # of what it says, not of its making: the same bytes again
        self.set_title(title)
        self.set_author(settings.SITE_NAME)
        self.set_creator("LSP Portal")
        self.set_lang("en")
        self.add_font(FAMILY, "", FONTS / "DejaVuSans.ttf")
        self.add_font(FAMILY, "B", FONTS / "DejaVuSans-Bold.ttf")
        more = [f"site{place}" for place, _ in enumerate(settings.STATEMENT_FONTS)]
        for family, path in zip(more, settings.STATEMENT_FONTS, strict=True):
            self.add_font(family, "", path)
        self.set_fallback_fonts(more, exact_match=False)
        fonts = [font for font in self.fonts.values() if isinstance(font, TTFFont)]
        self._known = {letter for font in fonts for letter in font.cmap}
        self._foot = foot
        self.has_missing = False
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(True, margin=MARGIN + 4)
        self.ink()
        self.add_page()

    def ink(
        self, size: float = TEXT, *, bold: bool = False, colour: tuple[int, int, int] = INK
    ) -> None:
        """How what follows is written."""
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*colour)

    def footer(self) -> None:
        self.set_y(-MARGIN)
        self.ink(SMALL, colour=SOFT)
        self.put(self._foot, self.epw * 0.8)
        self.put(f"page {self.page_no()} of {{nb}}", self.epw * 0.2, align="R")

    def put(
        self, text: str, width: float, *, align: Literal["L", "C", "R"] = "L", height: float = ROW
    ) -> None:
        """One line of text in a cell, the next one beside it."""
        text = self._writable(text)
        self.cell(width, height, text, align=align)

    def paragraph(self, text: str, *, fill: bool = False) -> None:
        """Text over the whole width."""
        text = self._writable(text)
        self.multi_cell(
            self.epw, LINE, text, align="L", fill=fill, padding=2 if fill else 0,
            new_x="LMARGIN", new_y="NEXT",
        )  # fmt: skip

    def multi_line(self, text: str) -> None:
        """Text in the size of now, as high as it needs."""
        text, size = self._writable(text), self.font_size
        self.multi_cell(self.epw, size * 1.25, text, align="L", new_x="LMARGIN", new_y="NEXT")

    def link_line(self, address: str) -> None:
        """An address that can be followed and copied."""
        text = self._writable(address)
        self.multi_cell(
            self.epw, LINE, text, align="L", link=address, new_x="LMARGIN", new_y="NEXT"
        )

    def heading(self, text: str, *, room: float = 4 * ROW) -> None:
        """With so much room below it on the page, or on the next one."""
        self.ln(4)
        if self.will_page_break(room):
            self.add_page()
        self.ink(11, bold=True)
        self.put(text, self.epw, height=7)
        self.ln(7.5)
        self.ink()

    def table(  # type: ignore[override]  # the library's own is another thing
        self,
        columns: Sequence[Column],
        rows: Iterable[Sequence[str]],
        *,
        total: Sequence[str] | None = None,
    ) -> None:
        """Rows under a head that every page repeats; long texts take several lines."""
        whole = sum(column.width for column in columns)
        columns = [replace(column, width=column.width / whole) for column in columns]
        self._head(columns)
        for row in rows:
            self._row(columns, row)
        if total is not None:
            self._row(columns, total, bold=True)
        self.ink()

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """What is called what."""
        columns = (Column("", 0.26), Column("", 0.74))
        for row in rows:
            self._row(columns, row, repeats=False)

    def bars(self, parts: Sequence[tuple[str, float]], *, unit: str) -> None:
        """A bar for each part, in a common scale, with the largest value at the axis."""
        height, left = 34.0, self.l_margin
        highest = max(*(value for _, value in parts), 0.0, 0.0)
        lowest = min(*(value for _, value in parts), 0.0, 0.0)
        scale = height / ((highest - lowest) or 1)
        top = self.get_y() + 4
        zero = top + highest * scale
        step = self.epw / max(len(parts), 6)
        self.ink(SMALL, colour=SOFT)
        self.put(f"{highest:,.2f} {unit}", self.epw, height=3.5)
        self.set_fill_color(*BAR)
        for place, (_, value) in enumerate(parts):
            y, tall = (zero - value * scale, value * scale) if value > 0 else (zero, -value * scale)
            self.rect(left + (place + 0.15) * step, y, step * 0.7, tall, style="F")
        self.set_draw_color(*RULE)
        self.line(left, zero, left + self.epw, zero)
        every = -(-len(parts) // 12)
        for place, (name, _) in enumerate(parts[::every]):
            self.set_xy(left + place * every * step, top + height + 0.5)
            self.put(name, step, align="C")
        self.set_xy(left, top + height + ROW + 1)
        self.ink()

    def _head(self, columns: Sequence[Column]) -> None:
        self._row(columns, [column.head for column in columns], bold=True, repeats=False)

    def _row(
        self, columns: Sequence[Column], cells: Sequence[str], *, bold: bool = False,
        repeats: bool = True,
    ) -> None:  # fmt: skip
        self.ink(bold=bold)
        texts = [
            self._lines(cell, column.width * self.epw - 2)
            for column, cell in zip(columns, cells, strict=True)
        ]
        height = (max(map(len, texts)) - 1) * LINE + ROW
        if self.will_page_break(height):
            self.add_page()
            if repeats:
                self._head(columns)
                self.ink(bold=bold)
        self._draw(columns, texts, height)

    def _draw(
        self, columns: Sequence[Column], texts: Sequence[Sequence[str]], height: float
    ) -> None:
        left, top = self.l_margin, self.get_y()
        for column, lines in zip(columns, texts, strict=True):
            for number, line in enumerate(lines):
                self.set_xy(left, top + number * LINE)
                self.put(line, column.width * self.epw, align=column.align)
            left += column.width * self.epw
        self.set_draw_color(*RULE)
        self.line(self.l_margin, top + height, self.l_margin + self.epw, top + height)
        self.set_xy(self.l_margin, top + height)

    def _lines(self, text: str, width: float) -> list[str]:
        text = self._writable(text)
        if self.get_string_width(text) <= width:
            return [text]
        lines = self.multi_cell(
            width + 2, LINE, text, align="L", dry_run=True, output=MethodReturnValue.LINES
        )
        assert isinstance(lines, list)  # noqa: S101 - the library's answer to `output`
        return lines

    def _writable(self, text: str) -> str:
        """One plain line in letters that some font has; scripts that need it are shaped."""
        kept = []
        for letter in plain_text(text):
            is_known = ord(letter) in self._known
            self.has_missing |= not is_known
            kept.append(letter if is_known else MISSING)
        found = "".join(kept)
        needs = any(letter >= FIRST_SHAPED or unicodedata.combining(letter) for letter in found)
        self.set_text_shaping(needs)
        return found
