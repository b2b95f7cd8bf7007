"""Who was asked to confirm an affiliation is told so by a notice as well."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from django.urls import reverse

from accounts.models import Topic, User
from accounts.notices.announcing import Message, announce


def announce_questions(*, at: datetime) -> int:
    """Tell everybody who was asked and has not confirmed; how many they are. Once per question."""
    asked: dict[datetime, list[User]] = defaultdict(list)
    people = User.objects.registered(at=at).filter(affiliation_asked_at__lte=at)
    for person in people.order_by("pk"):
        if person.affiliation_asked_at is not None:
            asked[person.affiliation_asked_at].append(person)
    for moment, some in asked.items():
        announce(_message(moment), to=some, at=at)
    return sum(map(len, asked.values()))


def _message(asked_at: datetime) -> Message:
    return Message(
        topic=Topic.AFFILIATION,
        key=f"affiliation:{asked_at:%Y%m%dT%H%M%SZ}",
        subject="Please confirm your affiliation",
        text="The platform keeps which institution you belong to, as your institution says it when "
        "you sign in. It has not said so for a while.\n\nSign in once more by your institution: "
        "that confirms it. There is nothing else to do.",
        link=reverse("account_affiliation"),
        link_label="Confirm your affiliation",
    )
