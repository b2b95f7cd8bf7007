"""Who is at a server: one task at a time, and after a crash the next one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sessions.models import Server
from sessions.models.driving import ServerQuerySet

# Longer than a task's calls of the cluster usually take. Two tasks at one server do no harm,
# since each looks before it acts.
LEASE = timedelta(seconds=30)


@contextmanager
def claimed(servers: ServerQuerySet, number: int, *, at: datetime) -> Iterator[Server | None]:
    """The server of that session, if it is one of these and nobody else is at it; else None."""
    until = at + LEASE
    if not servers.free(at=at).filter(pk=number).update(claimed_until=until):
        yield None
        return
    try:
        yield Server.objects.select_related("session__hub", "session__user").get(pk=number)
    finally:
        mine = Server.objects.filter(pk=number, claimed_until=until)
        mine.update(claimed_until=None)
