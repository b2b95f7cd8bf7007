"""Links in mails that end mails: whoever has the link may do it, without signing in."""

from __future__ import annotations

from dataclasses import dataclass

from django.core import signing

from accounts.letters import address
from accounts.models import Topic, User
from accounts.notices.preferences import CHOOSABLE

SALT = "accounts.notices.unsubscribing"


@dataclass(frozen=True, slots=True)
class Wish:
    """Whose mails about what shall end."""

    user: User
    topics: tuple[Topic, ...]


def link(user: User, *topics: Topic) -> str:
    """The address that ends this person's mails about these topics."""
    names = sorted(topic.value for topic in topics)
    return address("unsubscribe", signing.dumps([user.pk, names], salt=SALT))


def wish(token: str) -> Wish | None:
    """What a link asks for; None for one that the portal did not write.

    Links do not expire, since mails are read late, and can be followed again and again.
    """
    try:
        number, names = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=number).first()
    topics = tuple(topic for topic in CHOOSABLE if topic.value in names)
    return Wish(user, topics) if user is not None and topics else None
