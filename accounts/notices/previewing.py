"""What is going to be sent, when and to whom, as things stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Digest, MailState, Notice, Topic
from accounts.models.notices import NoticeQuerySet
from accounts.notices.delivery import barrier
from accounts.notices.preferences import Preferences, preferences_of


@dataclass(frozen=True, slots=True)
class Expected:
    """A mail that waits; `when` is None if it is not going to be sent."""

    notice: Notice
    when: datetime | None
    how: str


def pending() -> NoticeQuerySet:
    """Notices of which no mail was sent yet, those that are due first."""
    rows = Notice.objects.filter(state=MailState.WAITING).select_related("recipient", "digest")
    return rows.order_by("due_at", "pk")


def expected(notices: Sequence[Notice], *, at: datetime) -> list[Expected]:
    """What the next rounds would do with them."""
    preferences = preferences_of({row.recipient for row in notices})
    return [_expected(row, preferences[row.recipient_id], at) for row in notices]


def _expected(row: Notice, preferences: Preferences, at: datetime) -> Expected:
    reason = barrier(row, at)
    if reason is not None:
        return Expected(row, None, reason.label)
    mail: Notice | Digest = row.digest or row
    topic = None if row.in_digest else Topic(row.topic)
    when = preferences.earliest(topic, at=max(mail.due_at, at))
    how = "in the daily mail" if row.in_digest else "in a mail of its own"
    tried = f", attempt {mail.attempts + 1}" if mail.attempts else ""
    return Expected(row, when, how + tried)
