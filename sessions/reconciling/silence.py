"""Hubs of which nothing was heard for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import OuterRef, Subquery

from sessions.models import Hub, Snapshot


@dataclass(frozen=True, slots=True)
class SilentHub:
    """A hub, and when its last list of servers was made."""

    title: str
    heard_at: datetime


def silent_hubs(*, at: datetime) -> list[SilentHub]:
    """Hubs that have told what runs there, and not of late: what is known of them is of then."""
    lists = Snapshot.objects.filter(hub=OuterRef("pk"), time__lte=at).order_by("-time")
    heard = Hub.objects.annotate(heard_at=Subquery(lists.values("time")[:1]))
    since = at - timedelta(minutes=settings.HUB_SILENT_MINUTES)
    rows = heard.filter(heard_at__lt=since).values_list("title", "heard_at")
    return [SilentHub(title, heard_at) for title, heard_at in rows]
