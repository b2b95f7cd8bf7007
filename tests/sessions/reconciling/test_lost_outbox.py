"""An outbox that begins anew: what it had not sent is lost, and administrators are told so."""

from __future__ import annotations

from typing import Any

import pytest

from sessions.models import Alert, Repair
from tests.sessions.events.conftest import make_people
from tests.sessions.events.sender import START, Event, Sender, make_sender

NEW_EPOCH = "f" * 32


@pytest.fixture
def sender(db: None) -> Sender:
    make_people()
    return make_sender()


def of_new_outbox(event: Event, seq: int = 1) -> Event:
    return event | {"epoch": NEW_EPOCH, "seq": seq}


def started(sender: Sender, seconds: int) -> Event:
    data: dict[str, Any] = {"version": "6.1.1", "plugin_version": "0.1.0"}
    return sender.event("hub.started", seconds, data=data)


def told() -> list[str]:
    return [*Alert.objects.values_list("kind", flat=True)]


def test_the_first_outbox_of_a_hub_is_nothing_to_tell(sender: Sender) -> None:
    sender.take_in([started(sender, 0), sender.requested(10), sender.ready(20)])
    assert told() == []
    assert not Repair.objects.exists()


def test_a_new_outbox_is_told_once_with_what_cannot_be_known(sender: Sender) -> None:
    sender.take_in([sender.requested(10), sender.ready(20)])
    anew = [of_new_outbox(started(sender, 3600)), of_new_outbox(sender.requested(3700, 2), 2)]
    for _ in range(2):
        sender.take_in(anew)
    assert told() == ["outbox_lost"]
    repair = Repair.objects.get()
    assert repair.kind == "lost"
    assert (repair.moment - START).total_seconds() == 3600
    assert "2026-05-01 08:00:20" in repair.said
    assert "began and ended" in repair.changed


def test_answers_to_the_portal_are_no_outbox(sender: Sender) -> None:
    sender.take_in([started(sender, 0) | {"seq": 0, "epoch": "a" * 32}])
    sender.take_in([sender.requested(10), of_new_outbox(sender.requested(11, 2), 7)])
    assert told() == []


def test_events_of_the_old_outbox_that_come_late_tell_nothing_new(sender: Sender) -> None:
    late = sender.requested(5)
    sender.take_in([sender.ready(20)])
    sender.take_in([of_new_outbox(started(sender, 3600))])
    sender.take_in([late])
    assert Repair.objects.count() == 1
