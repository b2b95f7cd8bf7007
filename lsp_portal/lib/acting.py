"""On whose behalf something happens, for the trail of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Acting:
    """Who acts: a person, a program in words (“command import_people”), or a person through one."""

    user: Any = None  # a User; the library imports no app
    words: str = ""
    address: str | None = None


Answer = Callable[[], Acting]

_current: ContextVar[Answer | None] = ContextVar("acting", default=None)


def acting() -> Acting:
    """Who acts now; nobody in particular where nothing was said."""
    answer = _current.get()
    return answer() if answer is not None else Acting()


@contextmanager
def acting_as(answer: Answer) -> Iterator[None]:
    """Within it, changes are on behalf of whom `answer` names when it is asked."""
    token = _current.set(answer)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def acting_for(user: Any = None, words: str = "") -> Iterator[None]:
    """The same for one person or program."""
    with acting_as(lambda: Acting(user, words)):
        yield
