"""Taking in events: one call of the database for a request, or for several that arrive together.

The database function `hub_sessions_take_in` (sql/take_in.sql) stores events and brings every record
up to date in one transaction, one writer per hub at a time. While it works for one request, those
that arrive meanwhile gather, and the next call takes them all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import orjson
from django.db import connection, transaction

from lsp_portal.lib.gather import Gatherer
from sessions.hub.parse import Batch, Rejected
from sessions.models import Hub

MAX_TOGETHER = 2000  # events in one transaction
CONFLICT = "This id is already that of an event with other content."

TAKE_IN = "SELECT duplicates, conflicts FROM hub_sessions_take_in(%s, %s, %s, %s)"


@dataclass(frozen=True, slots=True)
class Received:
    """A request of a hub: its events and when they arrived."""

    hub: int
    batch: Batch
    at: datetime

    def __len__(self) -> int:
        return self.batch.size


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the events of a request; the three add up to their number."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


def take_in(hub: Hub, batch: Batch, *, at: datetime) -> Outcome:
    """Store the events and apply them. When this returns, every later read sees them.

    Raises OperationalError or InterfaceError when the database is away; then nothing was stored.
    """
    received = Received(hub.pk, batch, at)
    if connection.in_atomic_block:
        # The caller may yet roll back: nobody else's events may depend on that.
        return _take_in_together(hub.pk, lambda: [received])[0]
    return gatherer.submit(hub.pk, received)


def _take_in_together(hub: Hashable, take: Callable[[], Sequence[Received]]) -> list[Outcome]:
    """One transaction for the requests of a hub that are there when its lock is won."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT hub_sessions_lock(%s)", [cast("int", hub)])
        requests = take()
        cursor.execute(TAKE_IN, _parameters(requests))
        duplicates, conflicts = cursor.fetchone()
    return _shared_out(requests, duplicates or [], conflicts or [])


def _parameters(requests: Sequence[Received]) -> list[Any]:
    """What the database function gets; rows are numbered through."""
    rows = [row for request in requests for row in request.batch.rows]
    for place, row in enumerate(rows):
        row["i"] = place
    bad = [
        {"id": r.id, "code": r.code, "detail": r.detail, "raw": r.raw}
        for request in requests
        for r in request.batch.rejected
    ]
    at = max(request.at for request in requests)
    return [requests[0].hub, at, _json(rows), _json(bad) if bad else None]


def _shared_out(
    requests: Sequence[Received], duplicates: list[int], conflicts: list[int]
) -> list[Outcome]:
    """What became of all, told to each request for its own events."""
    outcomes = []
    start = 0
    for request in requests:
        end = start + len(request.batch.rows)
        known = sum(start <= place < end for place in duplicates)
        refused = [place - start for place in conflicts if start <= place < end]
        outcomes.append(_outcome(request.batch, known, refused))
        start = end
    return outcomes


def _outcome(batch: Batch, duplicates: int, conflicts: list[int]) -> Outcome:
    refused = [
        Rejected(batch.indexes[place], batch.rows[place]["id"], "conflict", CONFLICT, "")
        for place in conflicts
    ]
    return Outcome(
        accepted=len(batch.rows) - duplicates - len(refused),
        duplicates=duplicates,
        rejected=sorted(batch.rejected + refused, key=lambda rejected: rejected.index),
    )


def _json(value: list[dict[str, Any]]) -> str:
    return orjson.dumps(value).decode()


gatherer = Gatherer(_take_in_together, most=MAX_TOGETHER)
