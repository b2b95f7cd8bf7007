"""Names of people at hubs, where a hub calls somebody other than the portal does."""

from __future__ import annotations

from accounts.models import User
from sessions.models import Hub, HubUserName


def name_at(hub: Hub, user: User) -> str | None:
    """What the hub calls the person; None where it calls somebody else by the person's name."""
    own = HubUserName.objects.filter(hub=hub, user=user).order_by("pk").first()
    if own is not None:
        return own.name
    taken = HubUserName.objects.filter(hub=hub, name=user.username).exists()
    return None if taken else user.username
