"""Statements that PostgreSQL plans once per connection, where planning outweighs the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

from django.db import connection


class Prepared:
    """A statement with named parameters and their types.

    A pooler that hands one server connection to several clients has to keep prepared statements
    apart, or to pool by session.
    """

    def __init__(self, name: str, sql: str, /, **types: str) -> None:
        numbered = {key: f"${number}" for number, key in enumerate(types, start=1)}
        values = ", ".join(f"%({key})s" for key in types)
        self._prepare = f"PREPARE {name} ({', '.join(types.values())}) AS {sql % numbered}"
        self._execute = f"EXECUTE {name} ({values})"
        self._known: WeakSet[Any] = WeakSet()

    def one(self, values: Mapping[str, Any], *, first: str = "") -> tuple[Any, ...] | None:
        """The first row of the answer, or None.

        `first` holds statements that run before it in the same trip, each ended by a semicolon;
        at READ COMMITTED this one sees what was committed while they waited.
        """
        with connection.cursor() as cursor:
            if connection.connection not in self._known:
                cursor.execute(self._prepare)
                self._known.add(connection.connection)
            cursor.execute(first + self._execute, values)
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row
