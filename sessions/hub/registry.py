"""Hubs as administrators register them, and the turning over of their secrets."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from sessions.hub.secrets import issue_secret, secret_text
from sessions.models import Hub, Image, Size


@transaction.atomic
def create_hub(name: str, *, title: str, public_url: str, api_url: str, at: datetime) -> Hub:
    """A new hub with one secret, offering all images and sizes; the first of each is the default.

    Raises ValidationError, also where the name is taken.
    """
    hub = Hub(
        name=name,
        title=title or name,
        public_url=public_url.rstrip("/"),
        api_url=api_url.rstrip("/"),
        created_at=at,
        default_image=Image.objects.first(),
        default_size=Size.objects.first(),
    )
    hub.full_clean()
    hub.save(force_insert=True)
    hub.images.set(Image.objects.all())
    hub.sizes.set(Size.objects.all())
    issue_secret(hub, at)
    return hub


@transaction.atomic
def rotate_secret(hub: Hub, *, overlap: timedelta, at: datetime) -> str:
    """A new secret of the hub; the earlier ones stay valid for the overlap. Returns its text."""
    last = at + overlap
    hub.secrets.filter(Q(valid_to=None) | Q(valid_to__gt=last)).update(valid_to=last)
    return secret_text(issue_secret(hub, at))


def only_secret(hub: Hub) -> str:
    """The text of the one secret of a new hub."""
    return secret_text(hub.secrets.get())


def first_message(error: ValidationError) -> str:
    """What is wrong, in one line that names the field."""
    if not hasattr(error, "error_dict"):
        return error.messages[0]
    field, messages = next(iter(error.message_dict.items()))
    return f"{field}: {messages[0]}"
