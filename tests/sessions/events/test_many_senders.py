"""Many senders at once, out of order and again and again: as if one had sent everything once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random

import orjson
import pytest
from django.db import connection, connections
from django.test import Client

from sessions.hub import signing
from sessions.models import Alert, Charge, Hub, HubEvent, QuarantinedEvent, Session
from tests.sessions.events.conftest import make_people
from tests.sessions.events.sender import Event, Sender, key, make_sender
from tests.sessions.events.stored import stored_charges, stored_records

SENDERS = 8
SESSIONS = 2000


@pytest.fixture
def committed_sender(transactional_db: None) -> Sender:
    make_people()
    return make_sender()


def lives(sender: Sender) -> list[Event]:
    """10,000 events: a login, and four of each session; a seat is used again before it is free."""
    events = []
    for number in range(SESSIONS):
        user, start = f"user-{number % 300}", 97 * (number // 300) + number % 7
        events += [
            sender.event("user.login", start, user=user),
            sender.requested(start, number, user),
            sender.ready(start + 20 + number % 40, number, user),
            sender.stopped(start + 60 + number % 90, number, user),
            sender.failed(start + 400, number, user),
        ]
    return events


def in_threads(work: Callable[[int], None], count: int = SENDERS) -> None:
    """Run `work` that many times at once; the first error of any is raised."""
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        try:
            work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(run, number) for number in range(count)]:
            done.result()


@pytest.mark.django_db(transaction=True)
def test_8_senders_of_shuffled_repeated_events_leave_what_one_would_have_left(
    committed_sender: Sender,
) -> None:
    once = make_sender("once")
    events = lives(committed_sender)
    assert len(events) == 10_000
    in_order = sorted(events, key=lambda event: event["time"])
    for start in range(0, len(in_order), 500):
        once.take_in(in_order[start : start + 500])

    accepted = [0] * SENDERS

    def send(number: int) -> None:
        random = Random(number)
        mine = events[number::SENDERS] * 2 + events[(number + 1) % SENDERS :: SENDERS]
        random.shuffle(mine)
        while mine:
            size = random.choice((1, 20, 100, 500))
            answer = committed_sender.post(mine[:size])
            assert answer.status_code == 200
            accepted[number] += orjson.loads(answer.content)["accepted"]
            del mine[:size]

    in_threads(send)
    assert sum(accepted) == len(events)
    assert HubEvent.objects.filter(hub=committed_sender.hub).count() == len(events)
    assert stored_records(committed_sender.hub) == stored_records(once.hub)
    assert stored_charges(committed_sender.hub) == stored_charges(once.hub)
    assert not QuarantinedEvent.objects.exists()
    assert not Alert.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_one_event_from_8_senders_at_once_is_accepted_once(committed_sender: Sender) -> None:
    event = committed_sender.ready(0)
    answers: list[dict[str, int]] = []
    in_threads(lambda _: answers.append(orjson.loads(committed_sender.post([event]).content)))
    assert sum(answer["accepted"] for answer in answers) == 1
    assert sum(answer["duplicates"] for answer in answers) == SENDERS - 1


@pytest.mark.django_db(transaction=True)
def test_requests_that_gather_get_their_own_answers(committed_sender: Sender) -> None:
    contested = committed_sender.ready(0)

    def send(number: int) -> None:
        own = [committed_sender.ready(1, 10 + 3 * number + i) for i in range(3)]
        other = {**contested, "note": number}
        answer = orjson.loads(committed_sender.post([own[0], 17, other, *own[1:], own[0]]).content)
        rejected = [(r["index"], r["code"]) for r in answer["rejected"]]
        accepted = 3 if (2, "conflict") in rejected else 4
        assert (answer["accepted"], answer["duplicates"]) == (accepted, 1)
        assert (1, "malformed") in rejected

    in_threads(send)
    assert QuarantinedEvent.objects.filter(code="conflict").count() == SENDERS - 1
    assert Alert.objects.filter(kind=Alert.Kind.CONFLICT).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_sender_with_an_error_does_not_take_others_with_it(committed_sender: Sender) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE hub_sessions_hubevent ADD CONSTRAINT broken CHECK (seq <> 77) NOT VALID"
        )
    try:
        codes: dict[int, int] = {}
        sender = Sender(committed_sender.hub, client=Client(raise_request_exception=False))

        def send(number: int) -> None:
            event = committed_sender.ready(0, number) | {"seq": 77 if number == 3 else number}
            codes[number] = sender.post([event]).status_code

        in_threads(send)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hub_sessions_hubevent DROP CONSTRAINT broken")
    assert codes == {number: 500 if number == 3 else 200 for number in range(SENDERS)}


@pytest.mark.django_db(transaction=True)
def test_grants_and_events_of_one_session_may_race(committed_sender: Sender) -> None:
    """The portal writes the grant while the events of the session are on their way."""
    hub: Hub = committed_sender.hub
    events = [
        [committed_sender.requested(0, n, "alice"), committed_sender.ready(20, n, "alice")]
        for n in range(40)
    ]

    def work(number: int) -> None:
        for session in range(40):
            if number == 0:
                Session.objects.bulk_create(
                    [Session(hub=hub, key=key(session), user_name="alice", image="granted")],
                    ignore_conflicts=True,
                )
            else:
                assert committed_sender.post([events[session][number - 1]]).status_code == 200

    in_threads(work, 3)
    assert Session.objects.count() == Charge.objects.count() == 40
    assert {s.image for s in Session.objects.all()} == {"base"}


@pytest.mark.django_db(transaction=True)
def test_without_a_database_a_sender_is_told_to_come_again(
    committed_sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = committed_sender.ready(0)

    def lose_the_connection(*_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(signing, "_hub_and_nonces", lose_the_connection)
    answer = committed_sender.post([event])
    connection.close()
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer["Content-Type"] == "application/problem+json"
    monkeypatch.undo()
    assert committed_sender.post([event]).status_code == 200
