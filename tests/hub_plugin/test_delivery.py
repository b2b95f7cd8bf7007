"""Events arrive in order and once, whatever the portal and the way to it do."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from lsp_hub import delivery as delivery_module
from lsp_hub.delivery import Delivery, retry_after
from lsp_hub.events import event, utc_now
from lsp_hub.outbox import Outbox
from lsp_hub.portal import Portal
from lsp_hub.signing import secret_key
from tests.hub_plugin.loops import run
from tests.hub_plugin.stub_portal import DROP, SECRET, Fault, StubPortal

LOG = logging.getLogger("tests.delivery")
OTHER_SECRET = "whsec_" + "B" * 43 + "="


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(str(tmp_path / "outbox.sqlite"), LOG)
    yield made
    made.close()


def sender(outbox: Outbox, portal: StubPortal, secret: str = SECRET) -> Delivery:
    client = Portal(portal.address, portal.hub, [secret_key(secret)])
    return Delivery(outbox, client, LOG, first_pause=0.02)


def login(user: str) -> str:
    return event("user.login", at=utc_now(), user=user)


async def until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def deliver(outbox: Outbox, delivery: Delivery, steps: Callable[[], Awaitable[None]]) -> None:
    """Run the delivery beside some steps, as the hub does."""

    async def both() -> None:
        task = asyncio.create_task(delivery.run())
        try:
            await steps()
            await until_empty(outbox)
        finally:
            task.cancel()

    run(both())


async def until_empty(outbox: Outbox) -> None:
    deadline = time.monotonic() + 10
    while await outbox.oldest_events():
        assert time.monotonic() < deadline, "the outbox did not become empty"
        await asyncio.sleep(0.01)


def all_at_once(outbox: Outbox, users: list[str]) -> Callable[[], Awaitable[None]]:
    async def steps() -> None:
        await outbox.record(*map(login, users))

    return steps


def users_of(portal: StubPortal) -> list[str]:
    return [event["user"] for event in portal.events]


def numbers(portal: StubPortal) -> list[int]:
    return [event["seq"] for event in portal.events]


def test_an_event_is_there_within_a_second(portal: StubPortal, outbox: Outbox) -> None:
    async def steps() -> None:
        await until(lambda: delivery._work is not None)
        for number in range(5):
            began = time.monotonic()
            await outbox.record(login(f"user{number}"))
            await until(lambda number=number: len(portal.events) == number + 1)  # type: ignore[misc]
            assert time.monotonic() - began < 1

    delivery = sender(outbox, portal)
    deliver(outbox, delivery, steps)


def test_events_arrive_in_order_in_batches_of_at_most_500(
    portal: StubPortal, outbox: Outbox
) -> None:
    users = [f"user{number}" for number in range(1201)]
    deliver(outbox, sender(outbox, portal), all_at_once(outbox, users))
    assert users_of(portal) == users
    assert numbers(portal) == list(range(1, 1202))
    assert [seen.events for seen in portal.seen] == [500, 500, 201]


@pytest.mark.parametrize("status", [500, 502, 401, 403, 404, 301, DROP])
def test_what_is_no_answer_to_the_events_is_tried_again(
    portal: StubPortal, outbox: Outbox, status: int
) -> None:
    portal.faults += [Fault(status, {"Location": "/elsewhere"})] * 2
    deliver(outbox, sender(outbox, portal), all_at_once(outbox, ["alice", "bob"]))
    assert users_of(portal) == ["alice", "bob"]
    assert len(portal.seen) == 3
    assert len({seen.message for seen in portal.seen}) == 1


def test_a_page_that_says_200_but_counts_nothing_is_tried_again(
    portal: StubPortal, outbox: Outbox
) -> None:
    portal.faults += [Fault(200, body=b"<h1>Log in to our network</h1>"), Fault(200, body=b"[]")]
    deliver(outbox, sender(outbox, portal), all_at_once(outbox, ["alice"]))
    assert users_of(portal) == ["alice"]


def test_an_answer_lost_on_the_way_makes_only_duplicates(
    portal: StubPortal, outbox: Outbox
) -> None:
    portal.faults += [Fault(DROP, stores=True), Fault(500, stores=True)]
    deliver(outbox, sender(outbox, portal), all_at_once(outbox, ["alice", "bob"]))
    assert len({event["id"] for event in portal.events}) == 2
    assert numbers(portal) == [1, 2] * 3


def test_a_slow_portal_is_waited_for(
    portal: StubPortal, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsp_hub.portal.EVENTS_SECONDS", 0.2)
    portal.faults += [Fault(500, delay=0.5)]
    deliver(outbox, sender(outbox, portal), all_at_once(outbox, ["alice"]))
    assert users_of(portal) == ["alice"]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(portal: StubPortal, outbox: Outbox, status: int) -> None:
    portal.faults += [Fault(status, {"Retry-After": "1"})]
    delivery = sender(outbox, portal)

    async def steps() -> None:
        await outbox.record(login("alice"))
        await until(lambda: len(portal.seen) == 1)
        delivery.nudge()  # somebody else's success does not shorten what the portal asked for

    deliver(outbox, delivery, steps)
    assert portal.seen[1].at - portal.seen[0].at >= 0.95


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (format_datetime(datetime(2026, 5, 1, 8, 0, 30, tzinfo=UTC), usegmt=True), 30.0),
        (format_datetime(datetime(2026, 5, 1, 7, 0, 0, tzinfo=UTC), usegmt=True), 0.0),
        ("999999999", 3600.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    now = datetime(2026, 5, 1, 8, 0, 0, tzinfo=UTC).timestamp()
    assert retry_after(header, now=now) == seconds


@pytest.mark.parametrize("place", [0, 3, 6])
def test_one_poisonous_event_is_parked_and_the_others_pass_in_order(
    portal: StubPortal, outbox: Outbox, place: int
) -> None:
    users = [f"user{number}" for number in range(7)]
    portal.poison = {users[place]}
    deliver(outbox, sender(outbox, portal), all_at_once(outbox, users))
    assert users_of(portal) == [user for user in users if user not in portal.poison]
    assert parked(outbox) == [(place + 1, "malformed")]


def test_a_batch_that_is_too_large_is_halved_until_it_fits(
    portal: StubPortal, outbox: Outbox
) -> None:
    portal.most_events = 30
    users = [f"user{number}" for number in range(100)]
    deliver(outbox, sender(outbox, portal), all_at_once(outbox, users))
    assert users_of(portal) == users
    assert parked(outbox) == []


def test_rejected_events_are_parked_with_their_reason_and_logged(
    portal: StubPortal, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    portal.rejected = {"bob"}
    delivery = sender(outbox, portal)
    deliver(outbox, delivery, all_at_once(outbox, ["alice", "bob", "charlie"]))
    assert users_of(portal) == ["alice", "charlie"]
    assert parked(outbox) == [(2, "bad_value")]
    assert delivery.parked == 1
    assert "bad_value: not this one" in caplog.text


def parked(outbox: Outbox) -> list[tuple[int, str]]:
    return run(outbox.ask(lambda store: store.execute("SELECT seq, code FROM parked").fetchall()))


def test_a_wrong_secret_keeps_everything_until_it_is_right(
    portal: StubPortal, outbox: Outbox
) -> None:
    async def attempt() -> None:
        task = asyncio.create_task(sender(outbox, portal, OTHER_SECRET).run())
        await outbox.record(login("alice"))
        await until(lambda: len(portal.seen) >= 2)
        task.cancel()

    run(attempt())
    assert {seen.status for seen in portal.seen} == {401}
    portal.breaches.clear()
    deliver(outbox, sender(outbox, portal), all_at_once(outbox, ["bob"]))
    assert users_of(portal) == ["alice", "bob"]


def test_a_long_outage_is_one_line_in_the_log_and_one_at_its_end(
    portal: StubPortal,
    outbox: Outbox,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery_module, "LONGEST_PAUSE", 0.02)
    portal.stop()
    delivery = sender(outbox, portal)

    async def steps() -> None:
        await outbox.record(login("alice"))
        await until(lambda: delivery._failures > 5)
        portal.start()

    deliver(outbox, delivery, steps)
    assert users_of(portal) == ["alice"]
    assert [record.message[:11] for record in caplog.records] == ["Portal away", "Portal back"]
    assert "1 events wait" in caplog.text


def test_a_sign_of_life_ends_the_pause(portal: StubPortal, outbox: Outbox) -> None:
    portal.faults += [Fault(500)]
    delivery = sender(outbox, portal)
    delivery.first_pause = 60.0

    async def steps() -> None:
        await outbox.record(login("alice"))
        await until(lambda: delivery._failures == 1)
        await asyncio.sleep(0.05)
        delivery.nudge()
        await until(lambda: len(portal.events) == 1)

    deliver(outbox, delivery, steps)


def test_the_pause_doubles_up_to_its_limit_with_jitter(outbox: Outbox, portal: StubPortal) -> None:
    delivery = sender(outbox, portal)
    delivery.first_pause, pauses = 1.0, []
    for chance in (0.0, 1.0):
        delivery.chance = lambda chance=chance: chance  # type: ignore[misc]
        for failures in (1, 2, 3, 100):
            delivery._failures = failures
            pauses.append(delivery._backoff())
    assert pauses == [0.5, 1.0, 2.0, 5.0, 1.0, 2.0, 4.0, 10.0]
