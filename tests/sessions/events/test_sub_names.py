"""Who it was of those who share an account, where the portal was away at the start."""

from __future__ import annotations

from typing import Any

import pytest

from sessions.models import QuarantinedEvent, Session
from tests.sessions.events.sender import Sender


def test_it_is_kept_with_the_session(sender: Sender) -> None:
    sender.take_in([sender.requested(0, sub_name="Zoë, desk 7"), sender.ready(20)])
    assert Session.objects.get().sub_name == "Zoë, desk 7"


def test_the_first_request_counts(sender: Sender) -> None:
    later, first = sender.requested(9, sub_name="Ann"), sender.requested(0, sub_name="Zoe")
    for event in (later, first):
        sender.take_in([event])
    assert Session.objects.get().sub_name == "Zoe"


def test_most_requests_have_none(sender: Sender) -> None:
    sender.take_in([sender.requested(0), sender.requested(0, 2, sub_name=None)])
    assert set(Session.objects.values_list("sub_name", flat=True)) == {""}


@pytest.mark.parametrize("name", ["x" * 65, "a\nb", 7, ["Zoe"]], ids=repr)
def test_what_cannot_be_shown_is_refused(sender: Sender, name: Any) -> None:
    outcome = sender.post([sender.requested(0, sub_name=name)]).json()
    assert [one["code"] for one in outcome["rejected"]] == ["bad_value"]
    assert "data.sub_name must be a string of at most 64" in QuarantinedEvent.objects.get().detail
