"""OpenDocument spreadsheets as an answer, written while they are sent.

One table of texts and numbers needs little of ODF 1.3, and libraries for it keep the whole document
in memory. Texts are typed as such, so no spreadsheet takes one for a formula.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from io import RawIOBase
from itertools import chain
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from django.http import StreamingHttpResponse

MEDIA_TYPE = "application/vnd.oasis.opendocument.spreadsheet"
Cell = str | int | Decimal
PIECE = 1 << 16

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

MANIFEST = f"""<?xml version="1.0" encoding="UTF-8"?>
<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
 manifest:version="1.3">
<manifest:file-entry manifest:full-path="/" manifest:version="1.3"
 manifest:media-type="{MEDIA_TYPE}"/>
<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>
</manifest:manifest>
"""
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.3">
<office:body><office:spreadsheet><table:table table:name={name}>
"""
FOOT = "</table:table></office:spreadsheet></office:body></office:document-content>\n"


class _Sink(RawIOBase):
    """Keeps what was written until it is taken."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def take(self, *, least: int = 0) -> bytes:
        """What was written since, once it is so many bytes."""
        if len(self._written) < least:
            return b""
        taken = bytes(self._written)
        self._written.clear()
        return taken


def answer(
    name: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> StreamingHttpResponse:
    """The table as a download called `name`."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    pieces = document(name.removesuffix(".ods"), columns, rows)
    return StreamingHttpResponse(pieces, content_type=MEDIA_TYPE, headers=headers)


def document(name: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """The bytes of a document with one table of that name, piece by piece."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        # The first entry says what it is; it must not be compressed.
        archive.writestr("mimetype", MEDIA_TYPE, zipfile.ZIP_STORED)
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        with archive.open("content.xml", "w", force_zip64=True) as content:
            content.write(HEAD.format(name=quoteattr(_legal(name))).encode())
            for row in chain([columns], rows):
                content.write(_row(row).encode())
                if piece := sink.take(least=PIECE):
                    yield piece
            content.write(FOOT.encode())
    yield sink.take()


def _row(cells: Sequence[Cell]) -> str:
    return f"<table:table-row>{''.join(map(_cell, cells))}</table:table-row>\n"


def _cell(cell: Cell) -> str:
    kind = 'office:value-type="string"'
    if not isinstance(cell, str):
        kind = f'office:value-type="float" office:value="{cell}"'
    text = escape(_legal(str(cell)))
    return f"<table:table-cell {kind}><text:p>{text}</text:p></table:table-cell>"


def _legal(text: str) -> str:
    """The text without what XML cannot hold."""
    return NOT_XML.sub("\ufffd", text)
