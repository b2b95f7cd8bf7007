"""Background work on notices."""

from __future__ import annotations

from celery import shared_task
from django.core.mail import get_connection

from accounts.notices.delivery import send_next
from accounts.notices.digests import compose_digests
from lsp_portal.lib import clock

MOST_MAILS = 500  # of one run; the next one goes on


@shared_task
def send_notices() -> int:
    """Send the mails that are due, the daily ones among them; how many were looked at."""
    compose_digests(at=clock.now())
    connection = get_connection()
    number = 0
    try:
        # Each mail reads the clock anew: its claim counts from when it is taken.
        while number < MOST_MAILS and send_next(connection, at=clock.now()):
            number += 1
    finally:
        connection.close()
    return number
