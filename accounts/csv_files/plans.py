"""What a file would do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db.models import Model

from accounts.csv_files.table import Problem, Row


@dataclass
class Plan:
    """What would be made and changed, and what is wrong; nothing happens before `apply`."""

    kind: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    left_alone: int = 0
    problems: list[Problem] = field(default_factory=list)
    apply: Callable[[], None] = lambda: None
    applied: bool = False

    @property
    def summary(self) -> str:
        """In one sentence: “2 new, 1 changed, 7 as they were.”"""
        words = f"{self.new} new, {self.changed} changed, {self.unchanged} as they were"
        if self.left_alone:
            words += f", {self.left_alone} left alone because they follow from claims"
        if not self.problems and not self.new and not self.changed:
            words += "; nothing to change"
        return f"{words}."


def check_fields(row: Row, instance: Model, columns: tuple[str, ...]) -> None:
    """Note what the model has against the values of these columns."""
    others = [f.name for f in instance._meta.concrete_fields if f.name not in columns]
    try:
        instance.clean_fields(exclude=others)
    except ValidationError as error:
        for column, messages in error.message_dict.items():
            for message in messages:
                row.wrong(column, message)


def note_twice(rows: list[Row], column: str) -> None:
    """Note rows that name the same thing as an earlier one."""
    seen: dict[str, int] = {}
    for row in rows:
        name = row.text(column)
        if name in seen:
            row.wrong(column, f"Line {seen[name]} has it already.")
        seen.setdefault(name, row.line)
