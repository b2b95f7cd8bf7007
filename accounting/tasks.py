"""Background work on sums. A task may be lost or run twice: stale days are rows, no messages."""

from __future__ import annotations

from celery import shared_task
from django.core.mail import get_connection

from accounting import rollups
from accounting.outlook_notices import telling
from accounting.sharing import schedules, sending
from accounting.webhooks.noting import note_all
from accounting.webhooks.posting import post_next
from lsp_portal.lib import clock

MOST_MESSAGES = 500  # of one run; the next one goes on
MOST_REPORTS = 100  # likewise


@shared_task
def refresh_rollups() -> int:
    """Sum stale days again, unless another process is at it; the number of group-days done."""
    return rollups.refresh_unless_busy()


@shared_task
def tell_outlooks() -> int:
    """Tell PIs and managers what becomes of their quotas, each step once; the notices written."""
    return telling.tell_outlooks(at=clock.now())


@shared_task
def tell_webhooks() -> int:
    """Note what webhooks do not know yet, and post what waits; how many messages were tried."""
    note_all(at=clock.now())
    number = 0
    # Each message reads the clock anew: its claim counts from when it is taken.
    while number < MOST_MESSAGES and post_next(at=clock.now()):
        number += 1
    return number


@shared_task
def send_reports() -> int:
    """Write the monthly statements that are due, and send what waits; how many were looked at."""
    schedules.write_due(at=clock.now())
    connection = get_connection()
    number = 0
    try:
        while number < MOST_REPORTS and sending.send_next(connection, at=clock.now()):
            number += 1
    finally:
        connection.close()
    return number
