"""Writing notices down: from then on they are on their way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Group, MailState, Membership, Notice, Topic, User
from accounts.notices.preferences import plan, preferences_of
from accounts.notices.tasks import send_notices
from lsp_portal.lib.plain_text import plain_text
from lsp_portal.lib.queue import after_commit

SUBJECT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Message:
    """What is told. The key makes it once for each person: topic, object, step and period.

    `text` is plain paragraphs with an empty line between them; `link` a path of the portal.
    """

    topic: Topic
    key: str
    subject: str
    text: str
    link: str = ""
    link_label: str = ""


def announce(message: Message, *, to: Iterable[User], at: datetime) -> None:
    """Tell these people, once: who was told before, by the message's key, is left out."""
    people = sorted(set(to), key=lambda person: person.pk)  # in one order, against deadlocks
    preferences = preferences_of(people)
    rows = [plan(_notice(message, one, at), preferences[one.pk], at=at) for one in people]
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    if any(row.state == MailState.WAITING and row.due_at <= at for row in rows):
        after_commit(send_notices)


def responsible_for(group: Group, *, right: Membership.Right, at: datetime) -> list[User]:
    """The group's active PIs and its managers with the right, at that moment, in order of names."""
    rows = Membership.objects.valid(at=at).filter(group=group).with_right(right)
    people = User.objects.filter(pk__in=rows.values("user"), is_active=True)
    return list(people.order_by("username"))


def _notice(message: Message, person: User, at: datetime) -> Notice:
    return Notice(
        recipient=person,
        topic=message.topic,
        key=message.key,
        subject=plain_text(message.subject)[:SUBJECT_LENGTH],
        text=message.text,
        link=message.link,
        link_label=message.link_label,
        created_at=at,
    )
