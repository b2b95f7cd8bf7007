"""The tables of a page, as text, for tests that compare numbers."""

from __future__ import annotations

from html.parser import HTMLParser


class _Tables(HTMLParser):
    """Collects the rows of every table that has an id; exact values replace the rounded ones."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] | None = None
        self._cell: list[str] | None = None
        self._exact = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "table" and values.get("id"):
            self._rows = self.found.setdefault(str(values["id"]), [])
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th") and self._rows:
            self._cell = []
        elif tag == "data" and self._cell is not None:
            self._cell.append(str(values["value"]))
            self._exact = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._rows = None
        elif tag == "data":
            self._exact = False
        elif tag in ("td", "th") and self._rows and self._cell is not None:
            self._rows[-1].append(" ".join(" ".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._exact:
            self._cell.append(data)


def tables(page: str) -> dict[str, list[list[str]]]:
    """Each table's rows of cells, by the table's id."""
    parser = _Tables()
    parser.feed(page)
    return parser.found
