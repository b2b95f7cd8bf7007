"""The numbers of people and groups on file servers, each given once for ever."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Func, IntegerField, Value

from lsp_portal.lib.database import NextValue


class PosixId(models.Model):
    """A number that a person or a group has or once had.

    People and groups share the numbers, since everybody has a group of their own with the person's
    number. Database triggers write the rows, and nothing changes or deletes them.
    """

    class Kind(models.TextChoices):
        USER = "user", "person"
        GROUP = "group", "group"

    number = models.PositiveIntegerField(primary_key=True)
    kind = models.CharField(max_length=5, choices=Kind)

    class Meta:
        verbose_name = "POSIX number"

    def __str__(self) -> str:
        return str(self.number)


class Allocate(Func):
    """The next free number of the range in the settings."""

    function = "accounts_allocate"
    output_field = IntegerField()

    def __init__(self, kind: str) -> None:
        first, last = number_range(kind)
        super().__init__(Value(kind), Value(first), Value(last))


class AllocatedNumber(models.PositiveIntegerField):  # type: ignore[type-arg]  # as its base
    """A number of the registry; who names none gets the next one."""

    def __init__(self, *args: Any, kind: str, **options: Any) -> None:
        self.kind = kind
        sequence = "accounts_uid" if kind == PosixId.Kind.USER else "accounts_gid"
        # Makes Django read the number back after an insert.
        options |= {"unique": True, "editable": False, "db_default": NextValue(sequence)}
        super().__init__(*args, **options)

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, options | {"kind": self.kind}

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = super().pre_save(model_instance, add)
        return Allocate(self.kind) if add and not isinstance(value, int) else value


def number_range(kind: str) -> tuple[int, int]:
    """The first and the last number that people or groups are given."""
    found: tuple[int, int] = settings.UID_RANGE if kind == PosixId.Kind.USER else settings.GID_RANGE
    return found
