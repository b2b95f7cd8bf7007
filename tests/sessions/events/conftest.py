"""A hub that sends, and people to send about: Alice is PI, Bob a member, Charlie an outsider."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.models import Group, Membership, User
from tests.sessions.events.sender import START, Sender, make_sender


@pytest.fixture
def sender(db: None) -> Sender:
    make_people()
    return make_sender()


def make_people() -> None:
    alice, bob, _charlie = (
        User.objects.create(username=name, registered_at=START - timedelta(days=9))
        for name in ("alice", "bob", "charlie")
    )
    transients = Group.objects.create(name="transients", title="Transients")
    Group.objects.create(name="galaxies", title="Galaxies")
    for user, role in ((alice, "pi"), (bob, "member")):
        Membership.objects.create(
            user=user, group=transients, role=role, valid_from=START - timedelta(days=9)
        )
