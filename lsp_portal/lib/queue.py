"""Handing work to the queue: a hint that may be lost, since rows say what is due."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from celery.exceptions import CeleryError
from django.db import transaction
from kombu.exceptions import KombuError

logger = logging.getLogger(__name__)


def after_commit(task: Any, *arguments: object) -> None:
    """Send the task once the rows that it reads are there; a broker that is down is logged."""
    transaction.on_commit(partial(_send, task.delay, *arguments))


def _send(delay: Callable[..., object], *arguments: object) -> None:
    try:
        delay(*arguments)
    except (OSError, KombuError, CeleryError):  # what was written stays: the queue is only a hint
        logger.exception("a task was not sent")
