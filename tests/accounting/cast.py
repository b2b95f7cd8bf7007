"""A hub and the cast, as the tests of sums and exports need them."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Group, User
from sessions.models import Hub


@dataclass(frozen=True)
class Cast:
    """Alice is PI of `transients`, Bob works for both groups, Charlie for `galaxies` only."""

    hub: Hub
    alice: User
    bob: User
    charlie: User
    transients: Group
    galaxies: Group


def make_cast() -> Cast:
    alice, bob, charlie = (
        User.objects.create(username=name, first_name=name.title(), last_name="Example", uid=uid)
        for uid, name in enumerate(("alice", "bob", "charlie"), start=20001)
    )
    transients, galaxies = (
        Group.objects.create(name=name, title=name.title(), gid=gid)
        for gid, name in enumerate(("transients", "galaxies"), start=30001)
    )
    hub = Hub.objects.create(name="demo", title="Demo")
    return Cast(hub, alice, bob, charlie, transients, galaxies)
