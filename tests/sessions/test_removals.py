"""Servers of people who left their group end after a grace, through the hub's own API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from pytest_django import Settings

from accounts.models import Membership, User
from sessions import removals, tasks
from sessions.hub.secrets import issue_secret, service_token
from sessions.models import Alert, Hub, Session
from sessions.progress import progress
from tests import factories
from tests.cast import Cast
from tests.sessions.stub_hub import StubHub

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def hub(cast: Cast, stub: StubHub) -> Hub:
    cast.hub.api_url = stub.url
    cast.hub.save(update_fields=["api_url"])
    issue_secret(cast.hub, NOW - HOUR)
    return cast.hub


def running(cast: Cast, **values: Any) -> Session:
    """Bob's server, charged to transients, ready two hours ago."""
    ready_at = NOW - 2 * HOUR
    return factories.session(
        cast.hub, cast.bob, cast.transients, **{"ready_at": ready_at, "ended_at": None, **values}
    )


def leaves(person: User, at: datetime) -> None:
    Membership.objects.filter(user=person).update(valid_to=at)


def test_after_the_grace_the_hub_is_asked_and_the_record_says_why(
    cast: Cast, hub: Hub, stub: StubHub
) -> None:
    session = running(cast, user_name="b ob", server="lab 1")
    leaves(cast.bob, NOW - HOUR)
    assert removals.stop_sessions_of_removed_members(at=NOW) == 1
    path, token, actor, reason = stub.asked[0]
    assert path == "/hub/api/users/b%20ob/servers/lab%201"
    assert token == f"token {service_token(hub, at=NOW)}"
    assert (actor, reason) == ("lsp-portal", "admin")
    session.refresh_from_db()
    assert session.state(at=NOW) == Session.State.STOPPING
    steps = [step.message for step in progress(session, at=NOW)]
    assert "Asked to stop: the person is no longer in the group transients" in steps


@pytest.mark.parametrize(
    ("minutes", "left", "stopped"), [(60, 59, 0), (60, 60, 1), (10, 10, 1), (0, 0, 1), (0, -1, 0)]
)
def test_the_grace_is_that_of_the_site(
    cast: Cast, hub: Hub, settings: Settings, minutes: int, left: int, stopped: int
) -> None:
    settings.MEMBERSHIP_GRACE_MINUTES = minutes
    running(cast)
    leaves(cast.bob, NOW - left * MINUTE)
    assert removals.stop_sessions_of_removed_members(at=NOW) == stopped


@pytest.mark.parametrize(
    "change",
    [{"is_active": False}, {"expires_at": NOW}],
    ids=["switched off", "expired"],
)
def test_who_is_switched_off_has_no_grace(
    cast: Cast, hub: Hub, stub: StubHub, change: dict[str, Any]
) -> None:
    session = running(cast, group_name="", granted_group=None)
    Session.objects.update(group=None)
    User.objects.filter(pk=cast.bob.pk).update(**change)
    assert removals.stop_sessions_of_removed_members(at=NOW) == 1
    session.refresh_from_db()
    assert session.stop_note == "the account is switched off or has expired"


def test_a_server_on_its_way_up_is_stopped_too(cast: Cast, hub: Hub, stub: StubHub) -> None:
    running(cast, ready_at=None, granted_at=NOW - MINUTE, lease_until=NOW + HOUR)
    User.objects.filter(pk=cast.bob.pk).update(is_active=False)
    assert removals.stop_sessions_of_removed_members(at=NOW) == 1


class TestWhoGoesOn:
    def test_members(self, cast: Cast, hub: Hub, stub: StubHub) -> None:
        running(cast)
        self.nothing_stops(stub)

    def test_who_is_in_the_group_again(self, cast: Cast, hub: Hub, stub: StubHub) -> None:
        running(cast)
        leaves(cast.bob, NOW - 3 * HOUR)
        factories.membership(cast.bob, cast.transients, valid_from=NOW)
        self.nothing_stops(stub)

    def test_who_left_another_group(self, cast: Cast, hub: Hub, stub: StubHub) -> None:
        running(cast)
        Membership.objects.filter(group=cast.galaxies).update(valid_to=NOW - 3 * HOUR)
        self.nothing_stops(stub)

    def test_sessions_of_nobody_and_of_no_group(self, cast: Cast, hub: Hub, stub: StubHub) -> None:
        factories.session(hub, None, None, ready_at=NOW - HOUR, ended_at=None)
        factories.session(hub, cast.bob, None, ready_at=NOW - HOUR, ended_at=None, server="b")
        leaves(cast.bob, NOW - 3 * HOUR)
        self.nothing_stops(stub)

    def test_what_an_administrator_charged_to_a_group_of_others(
        self, cast: Cast, hub: Hub, stub: StubHub
    ) -> None:
        factories.session(hub, cast.charlie, cast.transients, ready_at=NOW - HOUR, ended_at=None)
        self.nothing_stops(stub)

    def test_what_has_ended(self, cast: Cast, hub: Hub, stub: StubHub) -> None:
        running(cast, ended_at=NOW - MINUTE)
        leaves(cast.bob, NOW - 2 * HOUR)
        self.nothing_stops(stub)

    def test_a_later_session_in_the_same_seat(self, cast: Cast, hub: Hub, stub: StubHub) -> None:
        """The end of the first is not known yet; its server is that of the second."""
        running(cast)
        Membership.objects.filter(group=cast.transients).update(valid_to=NOW - 2 * HOUR)
        factories.session(hub, cast.bob, cast.galaxies, ready_at=NOW - MINUTE, ended_at=None)
        self.nothing_stops(stub)

    def nothing_stops(self, stub: StubHub) -> None:
        assert removals.stop_sessions_of_removed_members(at=NOW) == 0
        assert stub.asked == []
        assert not Session.objects.exclude(stop_requested_at=None).exists()


class TestTroubles:
    @pytest.mark.parametrize("status", [500, 503])
    def test_a_hub_that_is_away_is_asked_at_the_next_run(
        self, cast: Cast, hub: Hub, stub: StubHub, status: int
    ) -> None:
        for server in ("a", "b", "c"):
            running(cast, server=server)
        leaves(cast.bob, NOW - HOUR)
        stub.status = status
        assert removals.stop_sessions_of_removed_members(at=NOW) == 0
        assert len(stub.asked) == 1
        stub.status = 204
        assert removals.stop_sessions_of_removed_members(at=NOW + MINUTE) == 3

    def test_what_the_hub_refuses_does_not_hold_up_the_others(
        self, cast: Cast, hub: Hub, stub: StubHub
    ) -> None:
        for server in ("a", "b"):
            running(cast, server=server)
        leaves(cast.bob, NOW - HOUR)
        stub.status = 400
        assert removals.stop_sessions_of_removed_members(at=NOW) == 0
        assert len(stub.asked) == 2

    def test_a_hub_without_an_address_does_not_hold_up_the_others(
        self, cast: Cast, hub: Hub, stub: StubHub
    ) -> None:
        other = factories.hub("another")
        factories.session(other, cast.bob, cast.transients, ready_at=NOW, ended_at=None)
        running(cast)
        leaves(cast.bob, NOW - HOUR)
        assert removals.stop_sessions_of_removed_members(at=NOW) == 1

    def test_asked_again_the_record_keeps_the_first_moment(
        self, cast: Cast, hub: Hub, stub: StubHub
    ) -> None:
        session = running(cast)
        leaves(cast.bob, NOW - HOUR)
        for minutes in range(3):
            assert removals.stop_sessions_of_removed_members(at=NOW + minutes * MINUTE) == 1
        session.refresh_from_db()
        assert session.stop_requested_at == NOW
        assert len(stub.asked) == 3

    def test_one_run_asks_for_a_bounded_number_new_ones_first(
        self, cast: Cast, hub: Hub, stub: StubHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(removals, "MOST_STOPS", 2)
        for server in ("a", "b", "c"):
            running(cast, server=server)
        leaves(cast.bob, NOW - HOUR)
        for _ in range(2):
            removals.stop_sessions_of_removed_members(at=NOW)
        assert [path[-1] for path, *_ in stub.asked] == ["a", "b", "c", "a"]


class TestManyAtOnce:
    @pytest.fixture
    def crowd(self, cast: Cast, hub: Hub) -> None:
        """Eleven of twenty servers are Bob's."""
        for number in range(11):
            running(cast, server=str(number))
        for number in range(9):
            factories.session(
                hub, cast.alice, cast.transients, ready_at=NOW, ended_at=None, server=str(number)
            )
        leaves(cast.bob, NOW - HOUR)

    @pytest.mark.usefixtures("crowd")
    def test_a_large_share_raises_an_alert_instead(self, stub: StubHub) -> None:
        for _ in range(2):
            assert removals.stop_sessions_of_removed_members(at=NOW) == 0
        alert = Alert.objects.get()
        assert (alert.kind, stub.asked) == ("many_removals", [])
        assert "11 of 20 servers" in alert.detail
        assert not Session.objects.exclude(stop_requested_at=None).exists()

    @pytest.mark.usefixtures("crowd")
    def test_the_share_is_that_of_the_site(self, stub: StubHub, settings: Settings) -> None:
        settings.MOST_REMOVALS_PERCENT = 55
        assert removals.stop_sessions_of_removed_members(at=NOW) == 11

    @pytest.mark.usefixtures("crowd")
    def test_an_administrator_may_go_ahead(self, stub: StubHub) -> None:
        out = StringIO()
        with time_machine.travel(NOW, tick=False):
            call_command("stop_removed_members", stdout=out)
            call_command("stop_removed_members", "--even-many", stdout=out)
        assert out.getvalue().splitlines() == [
            "Asked hubs to stop 0 servers",
            "Asked hubs to stop 11 servers",
        ]


def test_beat_runs_it(cast: Cast, hub: Hub, stub: StubHub, settings: Settings) -> None:
    running(cast)
    leaves(cast.bob, NOW - HOUR)
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert tasks.stop_sessions_of_removed_members.name in scheduled
    with time_machine.travel(NOW, tick=False):
        assert tasks.stop_sessions_of_removed_members.delay().get() == 1
