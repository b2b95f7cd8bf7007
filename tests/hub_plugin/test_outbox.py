"""The outbox keeps events in order through crashes and never breaks a hook."""

import logging
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lsp_hub import outbox as outbox_module
from lsp_hub import store
from lsp_hub.events import event, utc_now
from lsp_hub.outbox import Outbox
from lsp_hub.store import READY, REQUESTED, Key, Seat
from tests.hub_plugin.loops import run

LOG = logging.getLogger("tests.outbox")
WRITER = """
import asyncio, logging, sys
from lsp_hub.events import event, utc_now
from lsp_hub.outbox import Outbox
from lsp_hub.store import READY, Seat

async def main():
    outbox = Outbox(sys.argv[1], logging.getLogger())
    for number in range(100_000):
        session = f"00000000-0000-0000-0000-{number:012d}"
        seat = Seat("alice", "", session, READY, "2026-05-01T08:00:00Z")
        await outbox.record(event("session.ready", at=utc_now(), user="alice", server="",
                                  session=session), seat=seat)
        print(number, flush=True)

asyncio.run(main())
"""

Open = Callable[[str], Outbox]


@pytest.fixture
def opened() -> Iterator[Open]:
    made: list[Outbox] = []

    def open_outbox(path: str) -> Outbox:
        made.append(Outbox(path, LOG))
        return made[-1]

    yield open_outbox
    for outbox in made:
        outbox.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "outbox.sqlite")


def login(user: str = "alice") -> str:
    return event("user.login", at=utc_now(), user=user)


def seat(session: str, phase: str = REQUESTED) -> Seat:
    return Seat("alice", "", session, phase, "2026-05-01T08:00:00Z")


def sequence(outbox: Outbox) -> list[int]:
    return [queued.seq for queued in run(outbox.oldest_events())]


def test_events_keep_their_order_and_never_reuse_a_number(path: str, opened: Open) -> None:
    outbox = opened(path)
    run(outbox.record(login(), login(), login()))
    assert sequence(outbox) == [1, 2, 3]
    run(outbox.settle([1, 2, 3], []))
    run(outbox.record(login()))
    assert sequence(outbox) == [4]


def test_a_restart_keeps_epoch_events_and_seats(path: str, opened: Open) -> None:
    first = opened(path)
    run(first.record(login(), seat=seat("one")))
    era = run(first.ask(store.epoch))
    first.close()
    again = opened(path)
    run(again.opened())
    assert again.seats == {Key("alice", ""): seat("one")}
    assert run(again.ask(store.epoch)) == era
    assert sequence(again) == [1]


def test_an_event_and_its_seat_are_written_together(path: str, opened: Open) -> None:
    outbox = opened(path)
    run(outbox.record(login(), seat=seat("one", READY)))
    run(outbox.record(login(), clear=Key("alice", "")))
    assert outbox.seats == {}
    outbox.close()
    again = opened(path)
    run(again.opened())
    assert again.seats == {}


def test_a_new_file_has_a_new_epoch(tmp_path: Path, opened: Open) -> None:
    one, two = opened(str(tmp_path / "one")), opened(str(tmp_path / "two"))
    assert run(one.ask(store.epoch)) != run(two.ask(store.epoch))


def test_only_the_hub_reads_the_file(path: str, opened: Open) -> None:
    run(opened(path).record(login()))
    assert Path(path).stat().st_mode & 0o077 == 0


def test_a_writer_killed_at_any_moment_loses_nothing_it_was_told_is_kept(
    path: str, opened: Open
) -> None:
    for moment in (0.05, 0.15, 0.3):
        command = [sys.executable, "-c", WRITER, path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as writer:
            assert writer.stdout
            writer.stdout.readline()
            time.sleep(moment)
            writer.send_signal(signal.SIGKILL)
            said = len(writer.stdout.read().splitlines()) + 1
        numbers, sessions, kept_seat = whole_file(path)
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(sessions) >= said
        assert kept_seat == sessions[-1]
        with sqlite3.connect(path) as file:
            file.execute("DELETE FROM event")
            file.execute("DELETE FROM sqlite_sequence")
        file.close()


def environment() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(store.__file__).parents[1])}


def whole_file(path: str) -> tuple[list[int], list[str], str]:
    """The numbers of the events, their sessions, and the session of the seat."""
    with sqlite3.connect(path) as file:
        query = "SELECT seq, json_extract(body, '$.session') FROM event ORDER BY seq"
        rows = file.execute(query).fetchall()
        kept = file.execute("SELECT session FROM seat").fetchone()[0]
    file.close()
    return [row[0] for row in rows], [row[1] for row in rows], kept


def test_queueing_takes_a_hook_less_than_a_millisecond(path: str, opened: Open) -> None:
    outbox = opened(path)
    run(outbox.opened())
    body, times = login(), []
    for _ in range(200):
        began = time.perf_counter()
        outbox.put(body)
        times.append(time.perf_counter() - began)
    assert sorted(times)[100] < 0.001


def test_a_batch_is_at_most_500_events_and_less_than_a_mebibyte(path: str, opened: Open) -> None:
    outbox = opened(path)
    run(outbox.record(*[login() for _ in range(600)]))
    assert sequence(outbox) == list(range(1, 501))
    run(outbox.settle(range(1, 601), []))
    big = event("hub.snapshot", at=utc_now(), data={"sessions": ["x" * 300_000]})
    run(outbox.record(big, big, big, big))
    assert sequence(outbox) == [601, 602, 603]


def test_a_locked_file_holds_no_hook_and_loses_nothing(
    path: str, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "HOOK_SECONDS", 0.2)
    monkeypatch.setattr(outbox_module, "RETRY_SECONDS", 0.05)
    outbox = opened(path)
    run(outbox.record(login()))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    run(outbox.record(login("bob"), seat=seat("one")))
    assert time.monotonic() - began < 1
    assert outbox.seats[Key("alice", "")].session == "one"
    other.execute("ROLLBACK")
    other.close()
    assert wait_until(lambda: sequence(outbox) == [1, 2])


def test_a_full_disk_holds_no_hook_and_loses_nothing(
    path: str, opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outbox_module, "HOOK_SECONDS", 0.2)
    monkeypatch.setattr(outbox_module, "RETRY_SECONDS", 0.05)
    outbox = opened(path)
    run(outbox.record(login()))
    pages = run(outbox.ask(lambda db: db.execute("PRAGMA page_count").fetchone()[0]))
    run(outbox.ask(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchone()))
    for number in range(20):
        run(outbox.record(*[login(f"user{number}")] * 40))
        if "fails" in caplog.text:
            break
    assert "database or disk is full" in caplog.text
    run(outbox.record(login("bob")))
    free_the_disk(outbox)
    assert wait_until(lambda: run(outbox.ask(store.count_events)) == 40 * (number + 1) + 2)
    assert caplog.text.count("fails") == 1


def free_the_disk(outbox: Outbox) -> None:
    """Raise the limit from within the writer thread, which alone may touch its connection."""
    retry = outbox._try_again

    def try_again(job: outbox_module.Job, error: Exception) -> bool:
        outbox._store.execute("PRAGMA max_page_count = 1000000").fetchone()
        return retry(job, error)

    outbox._try_again = try_again  # type: ignore[method-assign]  # the disk has no other handle


def test_a_place_that_cannot_be_written_keeps_events_in_memory(
    opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outbox_module, "OPEN_SECONDS", 0.1)
    monkeypatch.setattr(outbox_module, "RETRY_SECONDS", 0.05)
    outbox = opened("/proc/no/such/outbox.sqlite")
    run(outbox.record(login(), seat=seat("one")))
    assert sequence(outbox) == [1]
    assert "memory only" in caplog.text


def test_a_damaged_file_is_set_aside_and_a_new_epoch_begins(
    path: str, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    Path(path).write_bytes(b"this is no database" * 1000)
    outbox = opened(path)
    run(outbox.record(login()))
    assert sequence(outbox) == [1]
    assert [file for file in Path(path).parent.iterdir() if ".damaged-" in file.name]
    assert "damaged" in caplog.text


def test_the_last_answer_of_a_person_is_kept(path: str, opened: Open) -> None:
    outbox = opened(path)
    outbox.keep_answer("alice", "{}", "2026-05-01T08:00:00Z")
    outbox.keep_answer("alice", '{"user": "alice"}', "2026-05-02T08:00:00Z")
    assert run(outbox.kept_answer("alice")) == (
        '{"user": "alice"}',
        "2026-05-02T08:00:00Z",
    )
    assert run(outbox.kept_answer("bob")) is None


def wait_until(is_so: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
