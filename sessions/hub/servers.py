"""Servers that people start and stop on the portal's own pages."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from accounts.models import User
from sessions import refusals
from sessions.grants import Ask, Grant, withdraw
from sessions.hub.client import HubClient, HubRefused, HubUnavailable
from sessions.hub.names import name_at
from sessions.launch import ask_to_stop, grant
from sessions.models import Hub, Server, Session


def start_from_portal(
    *,
    hub: Hub,
    user: User,
    group: str | None,
    image: str | None,
    size: str | None,
    at: datetime,
    server: str = "",
    sub_name: str | None = None,
    rescue: bool = False,
) -> Grant:
    """Grant a session and let the hub start its server. What is None, the portal chooses.

    Raises LaunchRefused; HubUnavailable or HubRefused after which the grant is withdrawn, unless
    the hub has handed the server over to the portal.
    """
    name = name_at(hub, user)
    if name is None:
        raise refusals.unknown_user(user.username)
    client = HubClient.of(hub, at=at)
    ask = Ask(
        session=uuid4(),
        user=name,
        server=server,
        actor=name,
        group=group,
        image=image,
        size=size,
        sub_name=sub_name,
        rescue=rescue,
    )
    granted = grant(hub, ask, at=at)
    try:
        client.start_server(name, server, _options(ask), actor=name)
    except (HubUnavailable, HubRefused) as error:
        if Server.objects.filter(pk=granted.number).exists():
            return granted  # the hub handed it over: the steps of the server say what became of it
        withdraw(granted.number, reason=str(error), at=at)
        raise
    return granted


def stop_from_portal(session: Session, *, actor: User, at: datetime) -> bool:
    """Note that the session is to stop and tell the hub; False where it has ended already.

    Raises HubUnavailable and HubRefused; the wish stays noted.
    """
    if not ask_to_stop(session, at=at):
        return False
    own = session.user_id == actor.pk
    name = session.user_name if own else actor.username
    HubClient.of(session.hub, at=at).stop_server(
        session.user_name, session.server, actor=name, reason="user" if own else "admin"
    )
    return True


def _options(ask: Ask) -> dict[str, str]:
    """What the hub's plugin asks the portal again, so that it finds this very grant."""
    chosen = {
        "group": ask.group, "image": ask.image, "size": ask.size, "sub_name": ask.sub_name,
        "rescue": "1" if ask.rescue else "",
    }  # fmt: skip
    return {"session": str(ask.session)} | {key: value for key, value in chosen.items() if value}
