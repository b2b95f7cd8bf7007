"""The outbox: one thread owns the file, hooks only put work into its queue.

Nothing here raises into a hook. While the disk is full, locked or away the work waits in memory
and is tried again; if the file cannot be opened at all the store lives in memory until the hub
starts again, and the log says so.
"""

import asyncio
import atexit
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lsp_hub import store as file
from lsp_hub.store import Key, Queued, Seat

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]

HOOK_SECONDS = 2.0  # how long a hook waits for the disk before it goes on without
OPEN_SECONDS = 5.0  # how long a file that cannot be opened is tried again
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 3.0
MAX_WAITING = 100_000  # changes in memory while the disk is away, about 50 MB


@dataclass
class Job:
    """Work for the writer thread; a lasting one is tried until it succeeds."""

    work: Work
    lasting: bool
    done: Future[Any] = field(default_factory=Future)

    def finish(self, result: Any) -> None:
        with suppress(InvalidStateError):  # nobody waits any more
            self.done.set_result(result)

    def fail(self, error: Exception) -> None:
        with suppress(InvalidStateError):
            self.done.set_exception(error)


class Outbox:
    """Events in order, the seats of servers, and the last good answers, in one SQLite file."""

    def __init__(self, path: str, log: logging.Logger) -> None:
        self.path = path
        self.log = log
        self.seats: dict[Key, Seat] = {}
        self.dropped = 0
        self.on_change: Callable[[], None] = lambda: None
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._opened: Future[None] = Future()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._in_trouble = False

    # What hooks call, from the hub's event loop

    def start(self) -> None:
        """Start the writer thread; further calls do nothing."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lsp-outbox", daemon=True)
                self._thread.start()
                atexit.register(self.close)

    async def opened(self) -> None:
        """Wait until the seats of the file are known, for at most HOOK_SECONDS."""
        self.start()
        await _patiently(self._opened)

    def put(self, *events: str, seat: Seat | None = None, clear: Key | None = None) -> Future[Any]:
        """Queue events and the change of a seat, all or nothing; takes microseconds."""
        self.start()
        if seat:
            self.seats[seat.key] = seat
        if clear:
            self.seats.pop(clear, None)
        return self._queue(Job(_change(events, seat, clear), lasting=True))

    async def record(
        self, *events: str, seat: Seat | None = None, clear: Key | None = None
    ) -> None:
        """`put`, and wait for the disk, but for at most HOOK_SECONDS."""
        await _patiently(self.put(*events, seat=seat, clear=clear))

    def keep_answer(self, user: str, body: str, received: str) -> None:
        """Keep the launch options of a person for a time without portal."""
        self.start()
        self._queue(Job(lambda store: file.keep_answer(store, user, body, received), lasting=False))

    async def kept_answer(self, user: str) -> tuple[str, str] | None:
        """The last good launch options of a person: JSON text and when it came."""
        self.start()
        asked = self._queue(Job(lambda store: file.kept_answer(store, user), lasting=False))
        await _patiently(asked)
        answer: tuple[str, str] | None = None
        if asked.done() and not asked.exception():
            answer = asked.result()
        return answer

    # What the delivery calls

    async def ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the file. Raises sqlite3.Error when the file fails."""
        self.start()
        answer: T = await asyncio.wrap_future(self._queue(Job(work, lasting=False)))
        return answer

    async def oldest_events(self) -> list[Queued]:
        return await self.ask(file.oldest_events)

    async def settle(self, seqs: Sequence[int], parked: Iterable[tuple[int, str, str]]) -> None:
        """Forget what was delivered; keep those of `parked` (seq, code, detail) apart."""
        kept = list(parked)
        await self.ask(lambda store: file.settle(store, seqs, kept))

    def close(self) -> None:
        """Write what waits, for at most CLOSE_SECONDS, and end the thread."""
        self._closing.set()
        self._jobs.put(None)
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_SECONDS)

    def _queue(self, job: Job) -> Future[Any]:
        if self._jobs.qsize() >= MAX_WAITING:
            self.dropped += 1
            job.fail(sqlite3.OperationalError("the outbox has no room left"))
        else:
            self._jobs.put(job)
        return job.done

    # What runs in the writer thread

    def _run(self) -> None:
        self._store = self._open()
        try:
            for seat in file.seats(self._store):
                self.seats.setdefault(seat.key, seat)
        except sqlite3.Error as error:
            self.log.error("The outbox %s cannot be read: %s", self.path, error)
        self._opened.set_result(None)
        while jobs := self._next():
            self._do(jobs)
        self._store.close()

    def _open(self) -> sqlite3.Connection:
        """The file; in memory if that fails for OPEN_SECONDS."""
        deadline = time.monotonic() + OPEN_SECONDS
        while True:
            try:
                return file.open_store(self.path)
            except (sqlite3.Error, OSError) as error:
                if file.is_damaged(error):
                    self._set_aside(error)
                elif time.monotonic() > deadline or self._closing.is_set():
                    return self._open_in_memory(error)
            self._closing.wait(RETRY_SECONDS)

    def _open_in_memory(self, error: Exception) -> sqlite3.Connection:
        self.log.critical(
            "The outbox %s cannot be opened (%s). Events are kept in memory only and are lost "
            "when the hub ends: repair the file and restart the hub.",
            self.path,
            error,
        )
        return file.open_store(":memory:")

    def _set_aside(self, error: Exception) -> None:
        try:
            kept = file.set_aside(self.path)
        except OSError as failure:
            self.log.error("The damaged outbox %s cannot be moved: %s", self.path, failure)
            return
        self.log.critical("The outbox was damaged (%s); kept as %s, a new one begins", error, kept)

    def _next(self) -> list[Job]:
        """Everything that waits, at least one job; nothing when closed."""
        jobs: list[Job] = []
        while not jobs or not self._jobs.empty():
            job = self._jobs.get()
            if job is not None:
                jobs.append(job)
                continue
            if jobs:
                self._jobs.put(None)
            break
        return jobs

    def _do(self, jobs: list[Job]) -> None:
        """All jobs in one transaction; one by one when that fails."""
        if len(jobs) > 1:
            with suppress(Exception):  # the one that fails will say so below
                self._commit(jobs)
                return
        for job in jobs:
            self._do_one(job)

    def _do_one(self, job: Job) -> None:
        while True:
            try:
                self._commit([job])
                return
            except Exception as error:
                if not self._try_again(job, error):
                    job.fail(error)
                    return

    def _commit(self, jobs: list[Job]) -> None:
        self._store.execute("BEGIN IMMEDIATE")
        try:
            results = [job.work(self._store) for job in jobs]
            self._store.execute("COMMIT")
        except Exception:
            if self._store.in_transaction:
                self._store.execute("ROLLBACK")
            raise
        for job, result in zip(jobs, results, strict=True):
            job.finish(result)
        self._note_health(None)
        if any(job.lasting for job in jobs):
            self.on_change()

    def _try_again(self, job: Job, error: Exception) -> bool:
        """Whether a failed job is worth another attempt, after a pause."""
        self._note_health(error)
        if not job.lasting or not isinstance(error, sqlite3.Error):
            return False
        if file.is_damaged(error):
            self._store.close()
            self._set_aside(error)
            self._store = self._open()
            return True
        return not self._closing.wait(RETRY_SECONDS)

    def _note_health(self, error: Exception | None) -> None:
        """One line in the log when the trouble begins and one when it ends."""
        if error and not self._in_trouble:
            self.log.error("The outbox %s fails (%s); events wait in memory", self.path, error)
        if not error and self._in_trouble:
            self.log.warning("The outbox %s works again; %d lost", self.path, self.dropped)
        self._in_trouble = error is not None


def _change(events: Iterable[str], seat: Seat | None, clear: Key | None) -> Work:
    def work(store: sqlite3.Connection) -> None:
        file.add_events(store, events)
        if clear:
            file.clear_seat(store, clear)
        if seat:
            file.put_seat(store, seat)

    return work


async def _patiently(done: Future[Any]) -> None:
    """Wait for the writer thread, but for at most HOOK_SECONDS and without its exceptions."""
    waited = asyncio.wrap_future(done)
    waited.add_done_callback(lambda finished: finished.cancelled() or finished.exception())
    await asyncio.wait([waited], timeout=HOOK_SECONDS)
