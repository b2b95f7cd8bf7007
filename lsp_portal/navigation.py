"""Which pages the header offers to whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse

from accounts.models import Group, User


class Audience(StrEnum):
    """What a visitor is to the portal, as far as the header cares."""

    ANYBODY = "anybody"
    SIGNED_IN = "signed in"
    PI = "PI"
    STAFF = "staff"


@dataclass(frozen=True)
class Entry:
    """A page of the header; `path` is where it stands and the prefix of the pages below it."""

    title: str
    path: str
    is_current: bool


# Title, URL name, who sees it. The home page comes first and is current only at its own address.
PAGES: tuple[tuple[str, str, Audience], ...] = (
    ("Home", "landing", Audience.ANYBODY),
    ("My sessions and usage", "my_usage", Audience.SIGNED_IN),
    ("My groups", "groups", Audience.PI),
    ("Overview", "overview", Audience.STAFF),
    ("Administration", "admin:index", Audience.STAFF),
)


def audiences(user: User | AnonymousUser, *, at: datetime) -> frozenset[Audience]:
    """What the visitor is at that moment; asks the database once for somebody signed in."""
    if not isinstance(user, User):
        return frozenset({Audience.ANYBODY})
    found = {Audience.ANYBODY, Audience.SIGNED_IN}
    if user.is_staff:
        found.add(Audience.STAFF)
    if Group.objects.led_by(user, at=at).exists():
        found.add(Audience.PI)
    return frozenset(found)


def entries(user: User | AnonymousUser, path: str, *, at: datetime) -> list[Entry]:
    """The header's entries for a visitor who stands at `path`."""
    seen = audiences(user, at=at)
    shown = [(title, reverse(name)) for title, name, audience in PAGES if audience in seen]
    return [Entry(title, address, _is_current(address, path)) for title, address in shown]


def _is_current(address: str, path: str) -> bool:
    return path == address or (address != "/" and path.startswith(address))
