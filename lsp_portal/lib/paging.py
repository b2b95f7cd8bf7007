"""Pages of tables that grow for ever."""

from __future__ import annotations

from typing import TypeVar

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

MOST = 10_000
"""Rows that anybody turns pages for; further ones are found by searching."""

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
