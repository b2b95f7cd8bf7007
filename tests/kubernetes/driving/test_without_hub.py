"""What the portal decided to end ends, though the hub that should do it is away or refuses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from accounts.models import Notice
from sessions.enforcement import enforce_quotas
from sessions.models import Alert, Charge, HubEvent, Session
from sessions.removals import stop_sessions_of_removed_members
from tests import factories
from tests.kubernetes.driving.story import Story
from tests.sessions.launch.platform import session_key
from tests.sessions.stub_hub import StubHub, stub_hub

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOTE = "the compute quota of the group is used up"


@pytest.fixture
def hub() -> Iterator[StubHub]:
    with stub_hub() as stub:
        yield stub


@pytest.fixture
def beyond(story: Story, hub: StubHub) -> Story:
    """Bob's server is ready, and since then its group has used up an hour: it is to stop."""
    story.platform.hub.api_url = hub.url
    story.platform.hub.save(update_fields=["api_url"])
    story.platform.secret()
    story.platform.quota("1")
    story.ready()
    story.clock += 2 * HOUR
    enforce_quotas(at=story.clock)
    story.clock += 16 * MINUTE
    return story


def tell(story: Story, at: datetime) -> None:
    """The hub's word, late."""
    event: dict[str, Any] = {
        "id": f"evt_{7:032x}", "epoch": f"{7:032x}", "seq": 7, "type": "session.stopped",
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}", "user": "bob", "server": "",
        "session": str(session_key(1)), "data": {"reason": "unknown"},
    }  # fmt: skip
    with time_machine.travel(at):
        answer = story.platform.send("POST", "events", {"events": [event]})
    assert answer.json()["accepted"] == 1


@pytest.mark.parametrize("status", [503, 403])
def test_beyond_its_quota_a_driven_server_ends_whatever_the_hub_says(
    beyond: Story, hub: StubHub, status: int
) -> None:
    hub.status = status
    assert enforce_quotas(at=beyond.clock) == 1
    assert (beyond.row().desired, beyond.row().stop_reason) == ("stopped", "quota")
    assert f"The portal ends the server: {NOTE}." in [
        step.message for step in beyond.row().steps.all()
    ]
    asked_at = beyond.clock
    beyond.until_clean()
    assert (beyond.row().state, beyond.objects()) == ("gone", [])
    session = beyond.session()
    assert (session.end_reason, session.stop_note) == ("quota", NOTE)
    assert session.ended_at is not None
    assert timedelta() < session.ended_at - asked_at < MINUTE
    assert Charge.objects.get().ended_at == session.ended_at
    assert not Alert.objects.exists(), "nothing goes on"


def test_the_hub_that_comes_back_finds_it_ended_and_changes_nothing(
    beyond: Story, hub: StubHub
) -> None:
    hub.status = 503
    enforce_quotas(at=beyond.clock)
    beyond.until_clean()
    ended_at = beyond.session().ended_at
    content = beyond.platform.send("GET", f"sessions/{session_key(1)}").json()
    assert (content["state"], content["failure"], content["removed"]) == ("ended", None, True)
    tell(beyond, beyond.clock + 5 * HOUR)
    session = beyond.session()
    assert (session.ended_at, session.end_reason) == (ended_at, "quota")
    assert Charge.objects.get().ended_at == ended_at


def test_told_once_however_often_it_is_looked_at(beyond: Story, hub: StubHub) -> None:
    hub.status = 503
    for _ in range(3):
        enforce_quotas(at=beyond.clock)
        beyond.clock += MINUTE
    beyond.until_clean()
    beyond.until_clean()
    enforce_quotas(at=beyond.clock)
    assert HubEvent.objects.filter(type="pod.ended").count() == 1
    stopped = Notice.objects.filter(subject__contains="was stopped", recipient__username="bob")
    assert stopped.count() == 1


def test_a_worker_that_dies_before_it_wrote_down_the_end_makes_nobody_pay_twice(
    beyond: Story, hub: StubHub
) -> None:
    hub.status = 503
    enforce_quotas(at=beyond.clock)
    beyond.until_clean()
    first = beyond.session().ended_at
    row = beyond.row()
    row.state, row.cleaned_at = "stopping", None
    row.save(update_fields=["state", "cleaned_at"])
    beyond.clock += HOUR
    beyond.until_clean()
    assert beyond.session().ended_at == first
    assert Charge.objects.count() == 1


def test_servers_that_the_hub_runs_itself_go_on_and_an_alert_says_so(
    beyond: Story, hub: StubHub
) -> None:
    platform = beyond.platform
    other = factories.charged_session(
        platform.hub, platform.alice, platform.transients, ready_at=beyond.clock - HOUR,
        ended_at=None, stops_at=beyond.clock,
    )  # fmt: skip
    hub.status = 503
    assert enforce_quotas(at=beyond.clock) == 1
    assert beyond.row().stop_reason == "quota"
    assert Alert.objects.get().kind == Alert.Kind.NOT_STOPPED
    assert Session.objects.open().filter(pk=other.pk).exists()


def test_a_start_of_somebody_who_left_the_group_is_ended_too(story: Story) -> None:
    story.fake.plan(never_ready=True)
    story.start()
    person = story.session().user
    assert person is not None
    person.memberships.update(valid_to=story.clock - HOUR)
    assert stop_sessions_of_removed_members(at=story.clock) == 1, "of the hub no address is known"
    story.until_clean()
    assert (story.row().state, story.objects()) == ("gone", [])
    session = story.session()
    assert session.stop_note == "the person is no longer in the group transients"
    assert not Charge.objects.exists()
