"""Working through many things some at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def portions(things: Iterable[T], most: int) -> Iterator[list[T]]:
    """The things in order, in lists of at most so many; nothing is read ahead."""
    left = iter(things)
    while some := list(islice(left, most)):
        yield some
