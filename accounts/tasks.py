"""Background work on people and groups. A task may be lost or run twice: rows say what is due."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from celery import shared_task
from celery.exceptions import CeleryError
from django.db import transaction
from kombu.exceptions import KombuError

from accounts import mails
from accounts.api.idempotency import forget_answers
from accounts.claims.sync import sync_everybody
from lsp_portal.lib import clock
from lsp_portal.lib.acting import acting_for

logger = logging.getLogger(__name__)


def after_commit(task: Any, *arguments: object) -> None:
    """Send the task once the rows that it reads are there; a broker that is down is logged."""
    transaction.on_commit(partial(_send, task.delay, *arguments))


@shared_task(autoretry_for=(OSError,), retry_backoff=True, max_retries=8)
def mail_waiting(number: int) -> int:
    """Tell the administrators that somebody waits for approval."""
    return mails.send_waiting(number)


@shared_task(autoretry_for=(OSError,), retry_backoff=True, max_retries=8)
def mail_decision(number: int) -> int:
    """Tell somebody what was decided about the registration."""
    return mails.send_decision(number)


@shared_task(autoretry_for=(OSError,), retry_backoff=True, max_retries=8)
def mail_invitation(number: int, path: str) -> int:
    """Send an invitation with its link."""
    return mails.send_invitation(number, path)


@shared_task
def sync_memberships() -> dict[str, int]:
    """Let everybody's memberships follow from claims."""
    with acting_for(words="nightly sync of memberships"):
        return asdict(sync_everybody(at=clock.now()))


@shared_task
def forget_kept_answers() -> int:
    """Remove the answers of writes that nobody repeats any more; their number."""
    return forget_answers(at=clock.now())


def _send(delay: Callable[..., object], *arguments: object) -> None:
    try:
        delay(*arguments)
    except (OSError, KombuError, CeleryError):  # what was written stays: the queue is only a hint
        logger.exception("a task was not sent")
