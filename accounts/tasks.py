"""Background work on people and groups. A task may be lost or run twice: rows say what is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from celery import Task, shared_task

from accounts import mails
from accounts.api.idempotency import forget_answers
from accounts.claims.sync import sync_everybody
from accounts.notices import confirmations, endings, lost_mails
from accounts.notices import tasks as _notices  # noqa: F401 - the worker finds its tasks here
from lsp_portal.lib import clock
from lsp_portal.lib.acting import acting_for


class MailTask(Task[..., int]):
    """Tries again for some minutes; then `lost` tells who can do something about it."""

    autoretry_for = (OSError,)
    retry_backoff = True
    max_retries = 8
    lost: Callable[..., None]

    def on_failure(self, exc: Any, task_id: Any, args: Any, kwargs: Any, einfo: Any) -> None:
        type(self).lost(args[0], error=exc, at=clock.now())


@shared_task(base=MailTask, lost=lost_mails.tell_of_waiting)
def mail_waiting(number: int) -> int:
    """Tell the administrators that somebody waits for approval."""
    return mails.send_waiting(number)


@shared_task(base=MailTask, lost=lost_mails.tell_of_decision)
def mail_decision(number: int) -> int:
    """Tell somebody what was decided about the registration."""
    return mails.send_decision(number)


@shared_task(base=MailTask, lost=lost_mails.tell_of_invitation)
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


@shared_task
def announce_endings() -> int:
    """Tell of memberships that end soon; how many do."""
    return endings.announce_endings(at=clock.now())


@shared_task
def announce_questions() -> int:
    """Tell people that they were asked to confirm their affiliation; how many were."""
    return confirmations.announce_questions(at=clock.now())
