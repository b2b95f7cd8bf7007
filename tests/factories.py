"""Rows for tests: each function makes one thing, with everything that the test does not name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import count
from typing import Any

from django.contrib.auth.models import Permission

from accounts.models import Group, Invitation, Membership, User
from quotas.models import AllocationPeriod, ComputeQuota, Grant
from sessions.hub.seats import seat
from sessions.models import (
    Charge,
    ClusterNode,
    Hub,
    Image,
    Session,
    Size,
    StaleDay,
    StorageSample,
)

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
numbers = count(1)


def user(name: str = "", **values: Any) -> User:
    """An approved person."""
    name = name or f"person-{next(numbers)}"
    defaults = {
        "first_name": name.title(),
        "last_name": "Example",
        "email": f"{name}@example.org",
        "registered_at": LONG_AGO,
    }
    return User.objects.create_user(name, **{**defaults, **values})


def administrator(name: str = "") -> User:
    return user(name, is_staff=True, is_superuser=True)


def group(name: str = "", **values: Any) -> Group:
    name = name or f"group-{next(numbers)}"
    return Group.objects.create(**{"name": name, "title": name.title(), **values})


def membership(of: User, to: Group, role: str = "member", **values: Any) -> Membership:
    values = {"valid_from": LONG_AGO, **values}
    return Membership.objects.create(user=of, group=to, role=role, **values)


def period(starts_on: date, ends_on: date, title: str = "") -> AllocationPeriod:
    return AllocationPeriod.objects.create(
        title=title or str(starts_on), starts_on=starts_on, ends_on=ends_on
    )


def quota(of: Group, within: AllocationPeriod, hours: str, mode: str = "hard") -> ComputeQuota:
    return ComputeQuota.objects.create(
        group=of, period=within, core_hours=Decimal(hours), mode=mode
    )


def grant(to: ComputeQuota, hours: str, author: User, **values: Any) -> Grant:
    values = {"reason": "More to observe", "valid_from": LONG_AGO, **values}
    return Grant.objects.create(quota=to, core_hours=Decimal(hours), author=author, **values)


def hub(name: str = "demo", **values: Any) -> Hub:
    """A hub that offers every image and size."""
    made = Hub.objects.create(**{"name": name, "title": name.title(), **values})
    made.images.set(Image.objects.all())
    made.sizes.set(Size.objects.all())
    return made


def node(name: str = "node-1", **values: Any) -> ClusterNode:
    """A node of the cluster with 4 CPUs and 16 GiB, of which nothing is asked for."""
    room = {"cpu_millicores": 4000, "memory_mib": 16_384, "gpus": 0}
    asked = {"cpu_asked": 0, "memory_asked": 0, "gpus_asked": 0, "servers": 0, "placeholders": 0}
    defaults = room | asked | {"state": ClusterNode.State.OPEN, "seen_at": LONG_AGO}
    return ClusterNode.objects.create(**{"name": name, **defaults, **values})


def session(at: Hub, of: User | None, paid_by: Group | None, **values: Any) -> Session:
    """A session as its events would have left it; Small and one hour long unless told otherwise.

    `ready_at` None makes one that never became ready, `ended_at` None one that runs.
    """
    ready_at = values.setdefault("ready_at", LONG_AGO)
    if ready_at is not None:
        values.setdefault("requested_at", ready_at - timedelta(seconds=20))
        values.setdefault("ended_at", ready_at + timedelta(hours=1))
    is_ended = values.get("ended_at") is not None
    defaults = {
        "user_name": of.username if of else "somebody",
        "group_name": paid_by.name if paid_by else "",
        "image": "base",
        "size": "small",
        "cpu_millicores": 1000,
        "memory_mib": 2048,
        "gpus": 0,
        "stopped_at": values.get("ended_at"),
        "end_source": "stop" if is_ended else "",
        "end_reason": "user" if is_ended else "",
    }
    values = {**defaults, **values}
    values.setdefault("seat", seat(values["user_name"], values.get("server", "")))
    return Session.objects.create(hub=at, user=of, group=paid_by, **values)


def charged_session(at: Hub, of: User | None, paid_by: Group | None, **values: Any) -> Session:
    """A session with the charge that follows from it."""
    made = session(at, of, paid_by, **values)
    charge(made)
    return made


def charge(of: Session, **values: Any) -> Charge:
    """What the session costs, with the days that it makes stale once it is closed."""
    defaults = {
        "user": of.user,
        "group": of.group,
        "started_at": of.ready_at,
        "ended_at": of.ended_at,
        "cpu_millicores": of.cpu_millicores,
        "memory_mib": of.memory_mib,
        "gpus": of.gpus,
    }
    made = Charge.objects.create(session=of, **{**defaults, **values})
    if made.ended_at is not None:
        days = (made.ended_at.date() - made.started_at.date()).days
        StaleDay.objects.bulk_create(
            StaleDay(day=made.started_at.date() + timedelta(days=number), group=made.group)
            for number in range(days + 1)
        )
    return made


def storage_samples(
    of: User | Group, mount: str, used: list[int], *, until: datetime, **values: Any
) -> list[StorageSample]:
    """What was measured on the days up to that moment, one sample a day; bytes."""
    owner: dict[str, Any] = {"user": of} if isinstance(of, User) else {"group": of}
    return StorageSample.objects.bulk_create(
        StorageSample(
            **owner,
            mount=mount,
            taken_at=until - timedelta(days=len(used) - 1 - number),
            used_bytes=amount,
            **values,
        )
        for number, amount in enumerate(used)
    )


def invitation(to: Group, invited_by: User, **values: Any) -> Invitation:
    """One that can be accepted for years."""
    number = next(numbers)
    defaults = {
        "email": f"guest-{number}@example.org",
        "secret_hash": sha256(str(number).encode()).digest(),
        "expires_at": datetime(2099, 1, 1, tzinfo=UTC),
    }
    return Invitation.objects.create(group=to, invited_by=invited_by, **{**defaults, **values})


def permissions(*codenames: str) -> list[Permission]:
    return list(Permission.objects.filter(codename__in=codenames))
