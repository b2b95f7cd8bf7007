"""Sending the mails that are due, each claimed first, as notices are."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

from accounting.group_statements import files
from accounting.models import ReportMail
from accounting.sharing.recipients import confirm_address, leaders, leave_address
from accounting.sharing.schedules import statement_of
from accounts.letters import letter
from accounts.models import MailState
from accounts.notices.delivery import CANDIDATES, CLAIM, MOST_ATTEMPTS, send, settle
from lsp_portal.lib.plain_text import plain_text


def send_next(connection: BaseEmailBackend, *, at: datetime) -> bool:
    """Send the mail that is due for longest; whether the next one may follow at once."""
    mail = _claim_next(at)
    if mail is None:
        return False
    if mail.attempts > MOST_ATTEMPTS:
        settle(mail, MailState.FAILED, error=mail.error or "No attempt came to an end.")
        return True
    reason = _barrier(mail, at)
    if reason is not None:
        settle(mail, reason)
        return True
    return send(mail, _written(mail, connection), connection, at)


def _claim_next(at: datetime) -> ReportMail | None:
    due = ReportMail.objects.due(at=at)
    for mail in due.select_related("recipient__user", "recipient__schedule__group")[:CANDIDATES]:
        if mail.claim(at=at, until=at + CLAIM):
            return mail
    return None


def _barrier(mail: ReportMail, at: datetime) -> MailState | None:
    """Why nothing is sent: looked at when it would be, since much can happen before."""
    recipient, schedule = mail.recipient, mail.recipient.schedule
    if recipient.ended_at or schedule.ended_at or schedule.paused_at:
        return MailState.MUTED
    if mail.month is None:
        return MailState.MUTED if recipient.confirmed_at else None
    user = recipient.user
    if user is not None and user not in leaders(schedule.group, at=at):
        return MailState.OFF
    return None if recipient.address else MailState.NO_ADDRESS


def _written(mail: ReportMail, connection: BaseEmailBackend) -> EmailMultiAlternatives:
    """The mail as it goes out; sent twice, it has the same Message-ID and the same numbers."""
    recipient, schedule = mail.recipient, mail.recipient.schedule
    name = f"report.{mail.pk}.{mail.created_at.timestamp():.0f}@{_host()}"
    shown: dict[str, Any] = {
        "group": plain_text(schedule.group.title),
        "by": plain_text(schedule.created_by.title),
        "end": leave_address(recipient),
    }
    headers = {"Message-ID": f"<{name}>"}
    if mail.month is None:
        shown["confirm"] = confirm_address(recipient)
        title = f"Statements of {shown['group']}: do you want them?"
        return letter(
            title, "report_question", recipient.address, shown, headers=headers,
            connection=connection,
        )  # fmt: skip
    statement = statement_of(schedule, mail.month, at=mail.created_at)
    shown |= {"statement": statement, "title": plain_text(statement.title)}
    headers |= {
        "List-Unsubscribe": f"<{shown['end']}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    found = letter(
        f"Usage of {shown['group']}, {shown['title']}", "report", recipient.address, shown,
        headers=headers, connection=connection,
    )  # fmt: skip
    kind = files.MEDIA_TYPES[schedule.file].partition(";")[0]
    found.attach(
        f"{statement.file_name}.{schedule.file}", files.made(statement, schedule.file), kind
    )
    return found


def _host() -> str:
    return urlsplit(settings.PORTAL_URL).hostname or "localhost"
