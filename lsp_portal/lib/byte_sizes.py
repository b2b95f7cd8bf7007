"""Amounts of bytes as people write them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
LARGEST = 2**63 - 1
HELP = "With a unit, as 500 GiB or 10 GB (1000 to the power of 3); without one, bytes."


def read_byte_size(text: str) -> int:
    """Bytes from `1.5 TiB`, `10 GB` or `1649267441664`, exactly; raises ValueError."""
    found = re.fullmatch(r"\s*(\d{1,19}(?:\.\d{1,6})?)\s*(?:([KMGTP]?)(i?)B)?\s*", text, re.ASCII)
    if found is None or (found[3] and not found[2]):
        raise ValueError(f"“{text}” is not an amount of bytes.")
    step = 1024 if found[3] else 1000
    amount = Decimal(found[1]) * step ** " KMGTP".index(found[2] or " ")
    if amount != int(amount) or amount > LARGEST:
        raise ValueError(f"“{text}” is not a whole number of bytes, or too many.")
    return int(amount)


def write_byte_size(count: int) -> str:
    """The bytes, exactly, in the largest unit that needs no fraction: `1536 GiB`."""
    power = max(p for p in range(len(UNITS)) if count % 1024**p == 0) if count else 0
    return f"{count // 1024**power} {UNITS[power]}"


class ByteSizeField(forms.CharField):
    """Bytes, with a unit where one is written."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["help_text"] = kwargs.get("help_text") or HELP
        for option in ("min_value", "max_value"):  # of the number field that it stands for
            kwargs.pop(option, None)
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return write_byte_size(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            return read_byte_size(text)
        except ValueError as error:
            raise ValidationError(str(error), code="bad_bytes") from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)
