"""A hub as the portal sees it: it makes events, signs them and sends them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid5

import orjson
from django.test import Client

from lsp_portal.lib import clock
from sessions.hub import ingest
from sessions.hub.parse import read_batch
from sessions.hub.secrets import issue_secret, secret_text
from sessions.models import Hub

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
SPACE = UUID("4f5b8f6e-7f0b-4a53-9a1e-0d6b3c1f2a10")
CLIENT = Client()  # one for all: each builds the whole chain of middleware
EPOCH = "0123456789abcdef0123456789abcdef"

Event = dict[str, Any]


def moment(seconds: int) -> str:
    """So many seconds after the beginning of the story, as events write times."""
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def key(number: int) -> UUID:
    """The id of a session."""
    return uuid5(SPACE, f"session {number}")


@dataclass
class Sender:
    """The outbox of one hub."""

    hub: Hub
    numbers: Any = field(default_factory=lambda: count(1))
    client: Client = field(default_factory=lambda: CLIENT)

    def event(self, kind: str, seconds: int, **fields: Any) -> Event:
        """An event of that kind, so many seconds after the beginning of the story."""
        number = next(self.numbers)
        identity = uuid5(SPACE, f"{self.hub.name} {number}").hex
        event = {"id": f"evt_{identity}", "epoch": EPOCH, "seq": number, "type": kind}
        return event | {"time": moment(seconds)} | fields

    def of_session(
        self, kind: str, seconds: int, session: int = 1, user: str = "bob", **data: Any
    ) -> Event:
        server = data.pop("server", "")
        return self.event(
            f"session.{kind}",
            seconds,
            user=user,
            server=server,
            session=str(key(session)),
            data=data,
        )

    def requested(self, seconds: int, session: int = 1, user: str = "bob", **data: Any) -> Event:
        """Bob asks for Small, charged to transients, while the portal is away."""
        known: dict[str, Any] = {
            "group": "transients",
            "image": "base",
            "size": "small",
            "resources": {"cpu_millicores": 1000, "memory_mib": 2048, "gpus": 0},
            "actor": user,
            "checked": False,
        }
        return self.of_session("requested", seconds, session, user, **(known | data))

    def ready(self, seconds: int, session: int = 1, user: str = "bob", **data: Any) -> Event:
        return self.of_session("ready", seconds, session, user, **data)

    def stopped(self, seconds: int, session: int = 1, user: str = "bob", **data: Any) -> Event:
        return self.of_session("stopped", seconds, session, user, **({"reason": "user"} | data))

    def failed(self, seconds: int, session: int = 1, user: str = "bob", **data: Any) -> Event:
        return self.of_session("failed", seconds, session, user, **({"reason": "timeout"} | data))

    def snapshot(
        self,
        seconds: int,
        name: str,
        sessions: list[int] | tuple[int, ...] = (),
        *,
        users: tuple[str, ...] = (),
        part: int = 1,
        parts: int = 1,
    ) -> Event:
        """A snapshot that lists sessions by id, and servers of users by their seat alone."""
        entries: list[tuple[str, str | None]] = [("bob", str(key(number))) for number in sessions]
        entries += [(user, None) for user in users]
        listed = [
            {"user": user, "server": "", "session": session, "phase": "ready", "since": moment(0)}
            for user, session in entries
        ]
        data = {"snapshot": name, "part": part, "parts": parts, "sessions": listed}
        return self.event("hub.snapshot", seconds, data=data)

    def take_in(self, events: list[Any]) -> ingest.Outcome:
        """Hand the events over as the endpoint does, without a request."""
        at = clock.now()
        return ingest.take_in(self.hub, read_batch(orjson.dumps({"events": events}), at=at), at=at)

    def post(self, body: Any, **headers: str) -> Any:
        """Send a signed request; a body that is not bytes becomes the list of events."""
        content = body if isinstance(body, bytes) else orjson.dumps({"events": body})
        signed = signature(secret_text(self.hub.secrets.latest("pk")), content)
        return self.client.post(
            f"/api/v1/hubs/{self.hub.name}/events",
            content,
            content_type="application/json",
            headers=signed | headers,
        )


def signature(
    secret: str, content: bytes, *, message: str = "msg_1", at: datetime | None = None
) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    timestamp = str(int((at or datetime.now(UTC)).timestamp()))
    digest = hmac.digest(
        base64.b64decode(secret.removeprefix("whsec_")),
        f"{message}.{timestamp}.".encode() + content,
        hashlib.sha256,
    )
    return {
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def make_sender(name: str = "demo") -> Sender:
    hub = Hub.objects.create(name=name, title=name)
    issue_secret(hub, clock.now() - timedelta(minutes=1))
    return Sender(hub)
