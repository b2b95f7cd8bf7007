"""Launches at the same time, on connections of their own, never overshoot a limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.models import Membership, User
from sessions import launch
from sessions.grants import Ask
from sessions.models import Session
from sessions.refusals import LaunchRefused
from tests.sessions.launch.platform import HOUR, NOW, Platform, make_platform, session_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def committed() -> Platform:
    return make_platform()


def outcome(platform: Platform, ask: Ask) -> str:
    try:
        return f"granted {launch.grant(platform.hub, ask, at=NOW).number}"
    except LaunchRefused as refusal:
        return refusal.code
    finally:
        connection.close()


def at_once(platform: Platform, asks: Iterable[Ask], *, clients: int = 16) -> Counter[str]:
    """The outcomes, all grants counted as one."""
    with ThreadPoolExecutor(clients) as pool:
        results = list(pool.map(lambda ask: outcome(platform, ask), asks))
    return Counter(result.split()[0] for result in results)


def asks_of(platform: Platform, count: int, change: Callable[[int], dict[str, str]]) -> list[Ask]:
    return [platform.ask(number, **change(number)) for number in range(count)]


def test_of_200_launches_against_a_quota_that_fits_37_exactly_37_are_granted(
    committed: Platform,
) -> None:
    committed.running()  # used 2, holds 1
    committed.quota("40.5")
    asks = asks_of(committed, 200, lambda number: {"server": str(number)})
    assert at_once(committed, asks, clients=32) == {"granted": 37, "quota_exhausted": 163}
    held = sum(session.cpu_millicores or 0 for session in Session.objects.holding(at=NOW))
    assert held == 38 * 1000


def test_the_same_holds_where_all_of_them_are_for_one_server(committed: Platform) -> None:
    committed.quota("10")
    asks = asks_of(committed, 40, lambda number: {})
    assert at_once(committed, asks) == {"granted": 10, "quota_exhausted": 30}


def test_two_groups_fill_up_independently_of_each_other(committed: Platform) -> None:
    committed.quota("5")
    committed.quota("7", group=committed.galaxies)
    groups = ("transients", "galaxies")
    asks = asks_of(committed, 60, lambda n: {"server": str(n), "group": groups[n % 2]})
    assert at_once(committed, asks) == {"granted": 12, "quota_exhausted": 48}
    assert Session.objects.filter(group=committed.transients).count() == 5


def test_a_person_never_gets_more_servers_than_allowed_whatever_the_groups(
    committed: Platform,
) -> None:
    committed.hub.max_sessions_per_user = 3
    committed.hub.save(update_fields=["max_sessions_per_user"])
    groups = ("transients", "galaxies")
    asks = asks_of(committed, 40, lambda n: {"server": str(n), "group": groups[n % 2]})
    assert at_once(committed, asks) == {"granted": 3, "too_many_sessions": 37}


def test_people_of_several_groups_do_not_block_each_other_for_ever(committed: Platform) -> None:
    Membership.objects.create(
        user=committed.alice, group=committed.galaxies, valid_from=NOW - 10 * HOUR
    )
    people, groups = ("alice", "bob"), ("transients", "galaxies")
    asks = asks_of(
        committed,
        80,
        lambda n: {"server": str(n), "user": people[n % 2], "group": groups[n // 2 % 2]},
    )
    assert at_once(committed, asks) == {"granted": 80}


def test_one_request_sent_many_times_at_once_is_granted_once(committed: Platform) -> None:
    committed.quota("1")
    asks = [committed.ask()] * 24
    with ThreadPoolExecutor(12) as pool:
        results = set(pool.map(lambda ask: outcome(committed, ask), asks))
    assert results == {f"granted {Session.objects.get().number}"}


def test_of_two_requests_with_one_id_and_other_content_one_is_granted(committed: Platform) -> None:
    sizes = ("tiny", "large")
    asks = [committed.ask(1, size=sizes[number % 2]) for number in range(12)]
    assert at_once(committed, asks, clients=12) == {"granted": 6, "conflict": 6}


def test_events_that_make_the_record_at_the_same_time_lose_nothing(committed: Platform) -> None:
    keys = [session_key(number) for number in range(30)]

    def events(number: int) -> str:
        try:
            Session.objects.bulk_create(
                [
                    Session(
                        hub=committed.hub,
                        key=keys[number],
                        user_name="bob",
                        server=str(number),
                        requested_at=NOW,
                    )
                ],
                update_conflicts=True,
                unique_fields=["hub", "key"],
                update_fields=["requested_at"],
            )
            return "recorded"
        finally:
            connection.close()

    asks = asks_of(committed, 30, lambda number: {"server": str(number)})
    with ThreadPoolExecutor(12) as pool:
        work = [
            pool.submit(call)
            for number, ask in enumerate(asks)
            for call in (lambda ask=ask: outcome(committed, ask), lambda n=number: events(n))
        ]
        outcomes = Counter(item.result().split()[0] for item in work)
    assert outcomes == {"granted": 30, "recorded": 30}
    records = Session.objects.filter(granted_at=NOW, requested_at=NOW)
    assert (
        records.filter(group=committed.transients, user=User.objects.get(username="bob")).count()
        == 30
    )
