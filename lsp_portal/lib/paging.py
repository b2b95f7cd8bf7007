"""Pages of tables that grow for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

MOST = 10_000
"""Rows that anybody turns pages for; further ones are found by searching."""

FAR = 2**31 - 1
"""Beyond the last page of anything."""

Row = TypeVar("Row")


class BoundedPaginator(Paginator[Row]):
    """Pages of the first rows: it neither counts nor skips more than `MOST` of them."""

    @cached_property
    def count(self) -> int:
        return min(self._seen, MOST)

    @property
    def is_cut(self) -> bool:
        """Whether there are rows beyond the last page."""
        return self._seen > MOST

    @cached_property
    def _seen(self) -> int:
        if isinstance(self.object_list, QuerySet):
            return self.object_list.order_by()[: MOST + 1].count()
        return len(self.object_list)


def page_number(text: str) -> int:
    """The page that an address asks for: the first unless it is a number, far beyond the last for
    a number below one.
    """
    try:
        number = int(text)
    except ValueError:
        return 1
    return min(number, FAR) if number > 0 else FAR


def page_of(found: Sequence[Row], text: str, *, of: int, rows: int) -> Page[Row]:
    """What the database found of a page of `of` rows, which is the last where it lies beyond."""
    paginator = Paginator(range(of), rows)
    number = min(page_number(text), paginator.num_pages)
    return Page(found, number, paginator)  # type: ignore[arg-type]  # it only counts
