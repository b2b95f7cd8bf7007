"""Who is at a server or a Dask cluster: one task at a time, and after a crash the next one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import Q, QuerySet

from sessions.models import DaskCluster, Server

Claimed = TypeVar("Claimed", Server, DaskCluster)

# Longer than a task's calls of the cluster usually take. Two tasks at one server do no harm,
# since each looks before it acts.
LEASE = timedelta(seconds=30)


@contextmanager
def claimed(rows: QuerySet[Claimed], number: int, *, at: datetime) -> Iterator[Claimed | None]:
    """The row of that number, if it is one of these and nobody else is at it; else None."""
    until, everything = at + LEASE, rows.model._default_manager
    free = Q(claimed_until=None) | Q(claimed_until__lte=at)
    if not rows.filter(free, pk=number).update(claimed_until=until):
        yield None
        return
    try:
        yield everything.select_related("session__hub", "session__user").get(pk=number)
    finally:
        mine = everything.filter(pk=number, claimed_until=until)
        mine.update(claimed_until=None)
