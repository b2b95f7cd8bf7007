"""What the tests of launches stand on, made with fixed times and names."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import orjson
from django.test import Client

from accounts.models import Group, Membership, User
from quotas.models import AllocationPeriod, ComputeQuota
from sessions.grants import Ask
from sessions.hub.secrets import issue_secret, secret_text
from sessions.models import Charge, Hub, Image, Session, Size

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Response

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPACE = UUID("0e1bd13c-93c2-4f2f-8b3b-2f1f0ea71f55")
PERIOD = (date(2026, 1, 1), date(2027, 1, 1))


def session_key(number: int) -> UUID:
    return uuid5(SPACE, str(number))


@dataclass
class Platform:
    """Alice is PI of `transients`, Bob is a member of it and of `galaxies`, Charlie of neither."""

    hub: Hub
    alice: User
    bob: User
    charlie: User
    transients: Group
    galaxies: Group
    period: AllocationPeriod
    client: Client = field(default_factory=Client)

    def ask(self, number: int = 1, **changes: Any) -> Ask:
        """Bob asks for Small, charged to transients."""
        values: dict[str, Any] = {
            "session": session_key(number),
            "user": "bob",
            "server": "",
            "actor": "bob",
            "group": "transients",
            "image": "base",
            "size": "small",
        }
        return Ask(**(values | changes))

    def quota(self, hours: str, *, group: Group | None = None, mode: str = "hard") -> ComputeQuota:
        quota, _ = ComputeQuota.objects.update_or_create(
            group=group or self.transients,
            period=self.period,
            defaults={"core_hours": Decimal(hours), "mode": mode},
        )
        return quota

    def running(self, number: int = 1000, **changes: Any) -> Session:
        """A running session of Alice, Small, for two hours, with its charge."""
        values: dict[str, Any] = {
            "hub": self.hub,
            "key": session_key(number),
            "user_name": "alice",
            "server": str(number),
            "seat": session_key(number),
            "user": self.alice,
            "group": self.transients,
            "cpu_millicores": 1000,
            "memory_mib": 2048,
            "gpus": 0,
            "requested_at": NOW - 2 * HOUR,
            "ready_at": NOW - 2 * HOUR,
        }
        session = Session.objects.create(**(values | changes))
        assert session.ready_at is not None
        assert session.cpu_millicores is not None
        Charge.objects.create(
            session=session,
            user=session.user,
            group=session.group,
            started_at=session.ready_at,
            cpu_millicores=session.cpu_millicores,
            memory_mib=session.memory_mib or 0,
        )
        return session

    def send(
        self, method: str, path: str, body: bytes | dict[str, Any] = b"", *, hub: str = "demo"
    ) -> Response:
        """A request to the hub API, signed as the contract says."""
        target = f"/api/v1/hubs/{hub}/{path}"
        content = orjson.dumps(body) if isinstance(body, dict) else body
        signed = content if method == "POST" else f"{method} {target}".encode()
        headers = signature(self.secret(), signed)
        return self.client.generic(
            method, target, content, content_type="application/json", headers=headers
        )

    def secret(self) -> str:
        return secret_text(self.hub.secrets.get())


def signature(secret: str, content: bytes, *, message: str = "msg_1") -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    timestamp = str(int(datetime.now(UTC).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message}.{timestamp}.".encode() + content, hashlib.sha256)
    return {
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def make_platform() -> Platform:
    alice, bob, charlie = people = tuple(
        _person(name, uid) for name, uid in (("alice", 5001), ("bob", 5002), ("charlie", 5003))
    )
    transients = Group.objects.create(name="transients", title="Transients", gid=6002)
    galaxies = Group.objects.create(name="galaxies", title="Galaxies", gid=6001)
    memberships = [(0, transients, "pi"), (1, transients, "member"), (1, galaxies, "member")]
    for number, group, role in memberships:
        Membership.objects.create(
            user=people[number], group=group, role=role, valid_from=NOW - 100 * HOUR
        )
    starts_on, ends_on = PERIOD
    period = AllocationPeriod.objects.create(title="2026", starts_on=starts_on, ends_on=ends_on)
    return Platform(_hub(), alice, bob, charlie, transients, galaxies, period)


def _person(name: str, uid: int) -> User:
    return User.objects.create(
        username=name,
        uid=uid,
        first_name=name.title(),
        last_name="Example",
        email=f"{name}@example.org",
        registered_at=NOW - 200 * HOUR,
    )


def _hub() -> Hub:
    hub = Hub.objects.create(
        name="demo",
        title="Demo hub",
        public_url="https://hub.example.org",
        api_url="http://hub.invalid/hub/api",
    )
    hub.images.set(Image.objects.all())
    hub.sizes.set(Size.objects.all())
    issue_secret(hub, NOW - 500 * HOUR)
    return hub
