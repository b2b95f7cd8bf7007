"""What `xdmod-import-csv` takes, observed with Open XDMoD 11.0.

It reports success after it skipped or rolled back rows, so what it would spoil is refused before.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Sequence
from io import StringIO

from accounting.exports.files import Measured

NAME = re.compile(r"[a-z0-9._-]{1,30}")


def refusal(name: str, others: frozenset[str] = frozenset()) -> str | None:
    """Why a name of a person or group cannot be told to the receiver; None where it can.

    `others` are the names of the other kind: the receiver has one name space for both.
    """
    if not NAME.fullmatch(name):
        return "bad_name"
    return "user_is_group" if name in others else None


def label(text: str, *, otherwise: str) -> str:
    """Text for people in one line, without backslashes: before a quote one swallows the next row.

    Marks that change the direction of writing go as well, they would turn the rest of the table.
    """
    shown = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in text)
    return " ".join(shown.replace("\\", " ").split()) or otherwise


def write_rows(out: Measured, rows: Iterable[Sequence[str]]) -> None:
    """CSV as the receiver reads it: every field in quotes, no header."""
    buffer = StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows:
        writer.writerow(row)
        out.write(buffer.getvalue().encode())
        buffer.seek(0)
        buffer.truncate()
