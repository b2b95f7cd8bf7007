"""Sending again what failed, when an administrator says so."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Digest, MailState, Notice
from accounts.notices.tasks import send_notices
from lsp_portal.lib.queue import after_commit

UNSENT = (MailState.FAILED, MailState.OFF, MailState.NO_ADDRESS)


def send_notices_again(notices: QuerySet[Notice], *, at: datetime) -> int:
    """Start anew with those that failed or had nowhere to go, each in a mail of its own."""
    return _start_anew(notices, at, in_digest=False, digest=None)


@transaction.atomic
def send_digests_again(digests: QuerySet[Digest], *, at: datetime) -> int:
    """Start anew with daily mails that failed or had nowhere to go, and with what they hold."""
    unsent = digests.filter(state__in=UNSENT)
    inside = Notice.objects.filter(digest__in=unsent.values("pk"), state__in=UNSENT)
    inside.update(state=MailState.WAITING, error="")
    return _start_anew(digests, at)


def _start_anew(mails: QuerySet[Notice] | QuerySet[Digest], at: datetime, **more: object) -> int:
    number = mails.filter(state__in=UNSENT).update(
        state=MailState.WAITING, due_at=at, claimed_until=None, attempts=0, error="", **more
    )
    after_commit(send_notices)
    return number
