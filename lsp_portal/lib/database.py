"""Small PostgreSQL expressions that Django does not bring."""

from typing import Any

from django.db.models import Func, IntegerField, Value


class NextValue(Func):
    """The next value of a database sequence; numbers given once are never given again."""

    function = "nextval"
    output_field = IntegerField()

    def __init__(self, sequence: str, **extra: Any) -> None:
        super().__init__(Value(sequence), **extra)
