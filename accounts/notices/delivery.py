"""Sending what is due: each mail is claimed, sent and marked, so that two workers share the work.

A mail goes out at least once. Between the server's "250" and the mark lies a moment in which a
worker can die; the mail then goes out again, with the same Message-ID, when the claim has expired.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from smtplib import SMTPRecipientsRefused

from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from accounts.models import Digest, MailState, Notice, Topic
from accounts.models.notices import Delivery
from accounts.notices.preferences import preferences_of
from accounts.notices.writing import digest_mail, notice_mail

CLAIM = timedelta(minutes=5)  # longer than any conversation whose steps time out after 10 s
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
MOST_ATTEMPTS = 16  # with the pauses between them nearly two days
CANDIDATES = 50  # of which one is claimed; workers at the same time take others
Mail = Notice | Digest


def send_next(connection: BaseEmailBackend, *, at: datetime) -> bool:
    """Send the mail that is due for longest; whether the next one may follow at once.

    It may not when none is left, or when the mail server itself is in trouble.
    """
    mail = _claim_next(at)
    return mail is not None and _deliver(mail, connection, at)


def pause(attempts: int) -> timedelta:
    """How long to wait after that many attempts: a minute, doubled each time, six hours at most."""
    return min(FIRST_PAUSE * (1 << (attempts - 1)), LONGEST_PAUSE)


def _claim_next(at: datetime) -> Mail | None:
    for mail in _due(at):
        if mail.claim(at=at, until=at + CLAIM):
            return mail
    return None


def _due(at: datetime) -> Iterator[Mail]:
    """Own mails before those of a day: they are the ones that cannot wait."""
    notices = Notice.objects.due(at=at).select_related("recipient")
    digests = Digest.objects.due(at=at).select_related("recipient")
    return chain(notices[:CANDIDATES], digests[:CANDIDATES])


def _deliver(mail: Mail, connection: BaseEmailBackend, at: datetime) -> bool:
    held_until = _held_until(mail, at)
    if held_until > at:
        mail.put_back(due_at=held_until, attempts=mail.attempts - 1)
        return True
    if mail.attempts > MOST_ATTEMPTS:
        settle(mail, MailState.FAILED, error=mail.error or "No attempt came to an end.")
        return True
    reason = barrier(mail, at)
    letter = None if reason else _written(mail, connection)
    if letter is None:
        settle(mail, reason or MailState.MUTED)
        return True
    return send(mail, letter, connection, at)


def send(
    mail: Delivery, letter: EmailMultiAlternatives, connection: BaseEmailBackend, at: datetime
) -> bool:
    """Hand over a claimed mail and write down what came of it; whether the server is well."""
    try:
        connection.open()
        letter.send()
    except SMTPRecipientsRefused as error:
        is_final = all(code >= 500 for code, _ in error.recipients.values())
        _note_fault(mail, error, at, is_final=is_final)
        return True
    except ValueError as error:  # an address that no mail can have
        _note_fault(mail, error, at, is_final=True)
        return True
    except OSError as error:
        _note_fault(mail, error, at, is_final=False)
        return False
    settle(mail, MailState.SENT, sent_at=at)
    return True


def _note_fault(mail: Delivery, error: Exception, at: datetime, *, is_final: bool) -> None:
    """Keep what was said; try again after a pause, unless it was final."""
    said = f"{type(error).__name__}: {error}"
    if is_final or mail.attempts >= MOST_ATTEMPTS:
        settle(mail, MailState.FAILED, error=said)
    else:
        mail.put_back(due_at=at + pause(mail.attempts), attempts=mail.attempts, error=said)


@transaction.atomic
def settle(
    mail: Delivery, state: MailState, *, sent_at: datetime | None = None, error: str = ""
) -> None:
    """Write down what became of the mail, and of the notices in it."""
    found = {"state": state, "sent_at": sent_at, "error": error}
    rows = type(mail)._default_manager
    rows.filter(pk=mail.pk, state=MailState.WAITING).update(claimed_until=None, **found)
    if isinstance(mail, Digest):
        mail.notices.filter(state=MailState.WAITING).update(**found)


def barrier(mail: Mail, at: datetime) -> MailState | None:
    """Why the person gets no mail at all."""
    person = mail.recipient
    if not person.is_active or person.has_ended(at=at):
        return MailState.OFF
    return None if person.email else MailState.NO_ADDRESS


def _held_until(mail: Mail, at: datetime) -> datetime:
    """The moment itself, or the end of the person's quiet hours."""
    topic = Topic(mail.topic) if isinstance(mail, Notice) else None
    return preferences_of([mail.recipient])[mail.recipient_id].earliest(topic, at=at)


def _written(mail: Mail, connection: BaseEmailBackend) -> EmailMultiAlternatives | None:
    """The mail as it goes out; None for a daily one of which everything was muted meanwhile."""
    if isinstance(mail, Notice):
        return notice_mail(mail, connection)
    notices = list(mail.notices.filter(state=MailState.WAITING).order_by("created_at", "pk"))
    return digest_mail(mail, notices, connection) if notices else None
