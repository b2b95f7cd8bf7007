"""How much is read to take an event in: the same however many are there.

The tables are analysed once, while they are nearly empty, as happens in an installation's first
minutes; the plans that are made then stay for long.
"""

from __future__ import annotations

import pytest
from django.db import connection

from sessions.models import HubEvent
from tests.sessions.events.sender import Sender

pytestmark = pytest.mark.django_db

TABLES = ("hub_sessions_hubevent", "hub_sessions_session", "hub_sessions_charge")
READ = """
    SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables
    WHERE relname = ANY (%s)
"""


def rows_read() -> int:
    """Of the three tables, so far in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(READ, [list(TABLES)])
        return int(cursor.fetchone()[0])


def live(sender: Sender, number: int) -> int:
    """A session from request to end, an event at a time: the rows that were read for it."""
    before = rows_read()
    for place, kind in enumerate((sender.requested, sender.ready, sender.stopped)):
        sender.take_in([kind(number * 10 + place, number)])
    return rows_read() - before


def test_an_event_reads_no_more_rows_when_there_are_more(sender: Sender) -> None:
    for number in range(1, 20):
        live(sender, number)
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ANALYZE {table}")
    few = live(sender, 20)
    for number in range(21, 200):
        live(sender, number)

    assert live(sender, 200) <= 2 * few
    assert HubEvent.objects.count() == 3 * 200
