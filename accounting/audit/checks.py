"""A check is one statement that finds the first difference, and a sentence about it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection


class DifferenceError(Exception):
    """Two things that must be equal are not; says which, and where they differ first."""

    code = "difference"


@dataclass(frozen=True, slots=True)
class Check:
    """`statement` gives no row, or the first that differs, for the places in `sentence`."""

    name: str
    statement: str
    sentence: str

    def run(self) -> None:
        """Raise DifferenceError unless everything agrees."""
        with connection.cursor() as cursor:
            cursor.execute(self.statement)
            row = cursor.fetchone()
        if row is not None:
            raise DifferenceError(f"Not so: {self.name}. First, {self.sentence.format(*row)}.")
