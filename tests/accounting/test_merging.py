"""Merging two accounts counts nothing anew."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounting import usage
from accounting.usage import Window
from accounts.merging import merge
from sessions.models import Charge, Session
from sessions.usage import used
from tests import factories
from tests.accounting.cast import Cast
from tests.accounting.rows import EPOCH, add_charge, add_session

pytestmark = pytest.mark.django_db
NOW = EPOCH + timedelta(days=20)


def test_sums_and_their_owners_are_the_same_before_and_after(cast: Cast) -> None:
    robert = factories.user("robert")
    cast.bob.registered_at = EPOCH
    cast.bob.save(update_fields=["registered_at"])
    factories.membership(robert, cast.transients)
    for person in (cast.bob, robert):
        session = add_session(
            cast.hub,
            user=person,
            group=cast.transients,
            started_at=EPOCH + timedelta(hours=1),
            ended_at=EPOCH + timedelta(hours=3),
        )
        add_charge(session)

    def sums() -> list[object]:
        window = Window(EPOCH, NOW, NOW)
        people = [usage.total(window, user=person) for person in (cast.bob, robert)]
        group = used(group=cast.transients, start=EPOCH, end=NOW, at=NOW)
        rows = [list(model.objects.order_by("pk").values()) for model in (Charge, Session)]
        return [*people, group, usage.total(window, group=cast.transients), rows]

    before = sums()
    merge(keep=cast.bob, old=robert, by=factories.administrator("dora-2"), at=NOW)
    assert sums() == before
