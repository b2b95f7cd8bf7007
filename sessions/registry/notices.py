"""Who used an image of late is told when it will not be offered any more."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models.lookups import GreaterThanOrEqual
from django.urls import reverse

from accounts.models import Topic, User
from accounts.notices.announcing import Message, announce
from lsp_portal.lib.display import plain_moment
from sessions.models import Image, Session
from sessions.models.records import BEGAN


def tell_of_retiring(image: Image, *, at: datetime) -> None:
    """Tell those whose sessions ran the image within IMAGE_USED_DAYS; once for each end."""
    if image.retires_at is None:
        return
    end = plain_moment(image.retires_at)
    until = f"can be started until {end}" if image.retires_at > at else "cannot be started any more"
    message = Message(
        topic=Topic.IMAGE,
        key=f"image:{image.pk}:{int(image.retires_at.timestamp())}",
        subject=f"The image {image.title} will not be offered any more"[:200],
        text=f"You used the image {image.title} of late. It {until}.\n\nSessions that run keep "
        "it. Choose another image for your next session; files in your home stay.",
        link=reverse("my_usage"),
        link_label="Start a session",
    )
    announce(message, to=used_by(image, at=at), at=at)


def used_by(image: Image, *, at: datetime) -> list[User]:
    """Active people whose sessions ran it of late."""
    since = at - timedelta(days=settings.IMAGE_USED_DAYS)
    recent = Session.objects.filter(GreaterThanOrEqual(BEGAN, since), image=image.name)
    return list(User.objects.filter(pk__in=recent.values("user"), is_active=True))
