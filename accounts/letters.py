"""Letters: what every mail of the portal has in common, as text and as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from django.urls import reverse

from lsp_portal.lib.plain_text import plain_text

SUBJECT_LENGTH = 150
# Answering machines keep quiet (RFC 3834).
AUTOMATIC = {"Auto-Submitted": "auto-generated"}


def letter(
    title: str,
    template: str,
    to: str,
    shown: Mapping[str, Any],
    *,
    headers: Mapping[str, str] | None = None,
    connection: BaseEmailBackend | None = None,
) -> EmailMultiAlternatives:
    """A mail to one address, rendered from `templates/mails/`."""
    context = {"site": settings.SITE_NAME, **shown}
    mail = EmailMultiAlternatives(
        plain_text(f"{title} · {settings.SITE_NAME}")[:SUBJECT_LENGTH],
        render_to_string(f"mails/{template}.txt", context),
        to=[to],
        headers={**AUTOMATIC, **(headers or {})},
        connection=connection,
    )
    mail.attach_alternative(render_to_string(f"mails/{template}.html", context), "text/html")
    return mail


def address(name: str, *arguments: str) -> str:
    """The whole address of a page."""
    return settings.PORTAL_URL + reverse(name, args=arguments)
