"""Claiming records for a run, in one transaction; files are written afterwards from the marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection, transaction
from psycopg2.extras import Json, execute_values

from accounting.exports.apel.due import Due, due
from accounting.exports.apel.months import parts
from accounting.exports.apel.records import Site, accelerator_record, cloud_record, refusal
from accounting.models import ApelMark, ApelRun
from sessions.models import Hub

AT_ONCE = 2000

# A record that says the same as before is not sent again, but follows from the new source.
MARK = """
INSERT INTO accounting_apelmark AS m (session_id, month, run_id, source, cloud, accelerator)
VALUES %s
ON CONFLICT (session_id, month) DO UPDATE SET
    source = excluded.source, cloud = excluded.cloud, accelerator = excluded.accelerator,
    run_id = CASE WHEN (m.cloud, m.accelerator) IS NOT DISTINCT FROM
                       (excluded.cloud, excluded.accelerator)
             THEN m.run_id ELSE excluded.run_id END
"""


@dataclass(slots=True)
class Claim:
    """A run with its marks, and how many sessions were refused, by reason."""

    run: ApelRun
    refused: Counter[str] = field(default_factory=Counter)


def claim(
    hub: Hub, site: Site, *, until: datetime, provider: str, directory: str, at: datetime
) -> Claim:
    """A new run with a mark for every record that is new or has changed."""
    with transaction.atomic():
        run = ApelRun.objects.create(
            hub=hub, started_at=at, until=until, site=asdict(site), directory=directory
        )
        claimed = Claim(run)
        rows = _marks(claimed, site, due(hub, site, cut=until, provider=provider))
        while chunk := list(islice(rows, AT_ONCE)):
            with connection.cursor() as cursor:
                execute_values(cursor.cursor, MARK, chunk, page_size=AT_ONCE)
        run.records = ApelMark.objects.filter(run=run).count()
        run.save(update_fields=["records"])
    return claimed


def _marks(claimed: Claim, site: Site, sessions: Iterable[Due]) -> Iterator[tuple[Any, ...]]:
    for session in sessions:
        reason = session.reason or refusal(session.booked)
        if reason:
            claimed.refused[reason] += 1
        else:
            yield from _marks_of(claimed.run, site, session)


def _marks_of(run: ApelRun, site: Site, session: Due) -> Iterator[tuple[Any, ...]]:
    """The marks of one session. A month has what its record counts beyond the one before."""
    counted = 0
    for part in parts(session.start, session.end, until=run.until, published=session.published):
        within, counted = part.wall - counted, part.wall
        accelerator = (
            Json(accelerator_record(site, session.booked, part, within=max(0, within)))
            if session.booked.gpus
            else None
        )
        record = cloud_record(site, session.booked, part)
        yield session.booked.number, part.month, run.pk, session.source, record, accelerator
