"""The mails that notices become: one for each, or one for all of a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

from accounts.letters import address, letter
from accounts.models import Digest, Notice, Topic, User
from accounts.notices.preferences import CHOOSABLE
from accounts.notices.unsubscribing import link
from lsp_portal.lib.display import plain_moment
from lsp_portal.lib.plain_text import plain_text


@dataclass(frozen=True, slots=True)
class Entry:
    """A notice as a mail shows it."""

    subject: str
    text: str
    link: str
    link_label: str
    written: str


@dataclass(frozen=True, slots=True)
class Ending:
    """A topic, and the link that ends mails about it."""

    label: str
    link: str


def notice_mail(notice: Notice, connection: BaseEmailBackend) -> EmailMultiAlternatives:
    """The mail of one notice; sent twice, it has the same Message-ID."""
    name = f"notice.{notice.pk}.{notice.created_at.timestamp():.0f}"
    return _mail(notice.subject, "notice", notice.recipient, [notice], name, connection)


def digest_mail(
    digest: Digest, notices: Sequence[Notice], connection: BaseEmailBackend
) -> EmailMultiAlternatives:
    """The mail of a day; sent twice, it has the same Message-ID."""
    title = "1 notice" if len(notices) == 1 else f"{len(notices)} notices"
    name = f"digest.{digest.pk}.{digest.day:%Y%m%d}"
    return _mail(title, "digest", digest.recipient, notices, name, connection)


def _mail(
    title: str, template: str, user: User, notices: Sequence[Notice], name: str,
    connection: BaseEmailBackend,
) -> EmailMultiAlternatives:  # fmt: skip
    topics = [topic for topic in CHOOSABLE if topic in {notice.topic for notice in notices}]
    shown: dict[str, Any] = {
        "name": plain_text(user.title),
        "entries": [_entry(notice) for notice in notices],
        "endings": [Ending(topic.label, link(user, topic)) for topic in topics],
        "preferences": address("notice_settings"),
    }
    headers = {"Message-ID": f"<{name}@{_host()}>", **_unsubscribing(user, topics)}
    return letter(title, template, user.email, shown, headers=headers, connection=connection)


def _entry(notice: Notice) -> Entry:
    where = settings.PORTAL_URL + notice.link if notice.link else address("notices")
    label = notice.link_label or "See it on the portal"
    return Entry(notice.subject, notice.text, where, label, plain_moment(notice.created_at))


def _unsubscribing(user: User, topics: Sequence[Topic]) -> dict[str, str]:
    """What lets mail programs offer to end such mails with one click (RFC 8058)."""
    if not topics:
        return {}
    return {
        "List-Unsubscribe": f"<{link(user, *topics)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _host() -> str:
    return urlsplit(settings.PORTAL_URL).hostname or "localhost"
