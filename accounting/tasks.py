"""Background work on sums. A task may be lost or run twice: stale days are rows, no messages."""

from __future__ import annotations

from celery import shared_task

from accounting import rollups
from accounting.outlook_notices import telling
from lsp_portal.lib import clock


@shared_task
def refresh_rollups() -> int:
    """Sum stale days again, unless another process is at it; the number of group-days done."""
    return rollups.refresh_unless_busy()


@shared_task
def tell_outlooks() -> int:
    """Tell PIs and managers what becomes of their quotas, each step once; the notices written."""
    return telling.tell_outlooks(at=clock.now())
