"""Who gets the mails: people who lead the group, and addresses that confirmed."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core import signing
from django.db import transaction

from accounting.models import ReportMail, ReportRecipient, ReportSchedule
from accounting.sharing.models import ReportRecipientQuerySet
from accounting.sharing.schedules import ScheduleRefused
from accounts.letters import address
from accounts.models import Group, MailState, Membership, User
from accounts.notices.announcing import responsible_for

CONFIRM_SALT = "accounting.sharing.confirming"
LEAVE_SALT = "accounting.sharing.leaving"
VALID = timedelta(days=7)
AGAIN_AFTER = timedelta(days=1)
MOST_RECIPIENTS = 20
MOST_QUESTIONS = 20
"""A group asks no more strangers within a day."""


def leaders(group: Group, *, at: datetime) -> list[User]:
    """Who may get mails without being asked: they may see the same on the pages."""
    return responsible_for(group, right=Membership.Right.USAGE, at=at)


@transaction.atomic
def add_leader(schedule: ReportSchedule, user: User, *, at: datetime) -> ReportRecipient:
    """Somebody who may see the group's usage anyhow. Raises ScheduleRefused."""
    if user not in leaders(schedule.group, at=at):
        raise ScheduleRefused(f"{user.title} may not see what the group used.")
    recipient = _recipient(schedule, user, "", at)
    recipient.confirmed_at, recipient.ended_at = at, None
    recipient.save(update_fields=["confirmed_at", "ended_at"])
    return recipient


@transaction.atomic
def ask_address(schedule: ReportSchedule, email: str, *, at: datetime) -> ReportRecipient:
    """Ask whether mails may be sent to that address; until it says so it gets nothing else.

    Also one that left is asked again. Raises ScheduleRefused.
    """
    recipient = _recipient(schedule, None, email.strip().lower(), at)
    if recipient.confirmed_at is not None and recipient.ended_at is None:
        raise ScheduleRefused(f"{recipient} confirmed already.")
    asked = ReportMail.objects.filter(month=None, created_at__gt=at - AGAIN_AFTER)
    if asked.filter(recipient=recipient).exists():
        raise ScheduleRefused(f"{recipient} was asked within the last day. Wait for the answer.")
    if asked.filter(recipient__schedule__group=schedule.group).count() >= MOST_QUESTIONS:
        raise ScheduleRefused(f"The group asked {MOST_QUESTIONS} addresses today. Wait a day.")
    recipient.confirmed_at, recipient.ended_at = None, None
    recipient.save(update_fields=["confirmed_at", "ended_at"])
    question = {
        "created_at": at, "due_at": at, "state": MailState.WAITING, "attempts": 0,
        "claimed_until": None, "sent_at": None, "error": "",
    }  # fmt: skip
    ReportMail.objects.update_or_create(recipient=recipient, month=None, defaults=question)
    return recipient


def leave(recipient: ReportRecipient, *, at: datetime) -> None:
    """No more of these mails; a second time changes nothing."""
    if recipient.ended_at is None:
        recipient.ended_at = at
        recipient.save(update_fields=["ended_at"])


def confirm(recipient: ReportRecipient, *, at: datetime) -> None:
    """The address wants the mails."""
    if recipient.confirmed_at is None:
        recipient.confirmed_at = at
        recipient.save(update_fields=["confirmed_at"])


def confirm_address(recipient: ReportRecipient) -> str:
    """The link in the question."""
    return address("confirm_report", signing.dumps(recipient.pk, salt=CONFIRM_SALT))


def leave_address(recipient: ReportRecipient) -> str:
    """The link that ends the mails; it does not expire, since mails are read late."""
    return address("leave_report", signing.dumps(recipient.pk, salt=LEAVE_SALT))


def asked(token: str) -> ReportRecipient | None:
    """Who answers the question: nobody seven days later, or once taken off the list."""
    try:
        key = signing.loads(token, salt=CONFIRM_SALT, max_age=VALID)
    except signing.BadSignature:
        return None
    return _rows().current().filter(pk=key, schedule__ended_at=None).first()


def leaving(token: str) -> ReportRecipient | None:
    """Who wants to leave; None for a link that the portal did not write."""
    try:
        key = signing.loads(token, salt=LEAVE_SALT)
    except signing.BadSignature:
        return None
    return _rows().filter(pk=key).first()


def _rows() -> ReportRecipientQuerySet:
    return ReportRecipient.objects.select_related("schedule__group", "user")


def _recipient(
    schedule: ReportSchedule, user: User | None, email: str, at: datetime
) -> ReportRecipient:
    """The row, new or old, under the lock of the schedule. Raises ScheduleRefused."""
    ReportSchedule.objects.select_for_update(no_key=True).get(pk=schedule.pk)
    known = schedule.recipients.filter(user=user, email=email).first()
    others = [one for one in schedule.recipients.current() if one != known]
    if len(others) >= MOST_RECIPIENTS:
        raise ScheduleRefused(f"A schedule has at most {MOST_RECIPIENTS} recipients.")
    return known or schedule.recipients.create(user=user, email=email, added_at=at)
