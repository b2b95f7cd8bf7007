"""The people of the tests' stories."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Group, User
from sessions.models import Hub
from tests import factories


@dataclass(frozen=True)
class Cast:
    """Alice is PI of transients; Bob works for transients and galaxies; Charlie is an outsider.

    Dora is the administrator. Charlie belongs to solar-system.
    """

    alice: User
    bob: User
    charlie: User
    dora: User
    transients: Group
    galaxies: Group
    solar_system: Group
    hub: Hub


def make_cast() -> Cast:
    """Everybody, approved, with memberships that began long ago, and the hub `demo`."""
    alice, bob, charlie = (factories.user(name) for name in ("alice", "bob", "charlie"))
    dora = factories.user("dora", is_staff=True, is_superuser=True)
    transients, galaxies, solar_system = (
        factories.group(name) for name in ("transients", "galaxies", "solar-system")
    )
    factories.membership(alice, transients, "pi")
    factories.membership(bob, transients)
    factories.membership(bob, galaxies)
    factories.membership(charlie, solar_system)
    hub = factories.hub()
    return Cast(alice, bob, charlie, dora, transients, galaxies, solar_system, hub)
