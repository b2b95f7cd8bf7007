"""The outbox file: events that wait for the portal, and which server is which session.

Plain functions on an open connection; only the writer thread of `outbox` calls them.
"""

import json
import sqlite3
import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS parked (
    seq INTEGER PRIMARY KEY, body TEXT NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL,
    parked_at TEXT NOT NULL DEFAULT (datetime('now')));
CREATE TABLE IF NOT EXISTS seat (
    user TEXT NOT NULL, server TEXT NOT NULL, session TEXT NOT NULL, phase TEXT NOT NULL,
    since TEXT NOT NULL, PRIMARY KEY (user, server));
CREATE TABLE IF NOT EXISTS answer (
    user TEXT PRIMARY KEY, body TEXT NOT NULL, received TEXT NOT NULL);
"""
BUSY_SECONDS = 1.0  # a backup that holds the file for longer is waited for by retrying
MAX_EVENTS = 500  # of one request, by the contract
MAX_BYTES = 1_000_000  # of one request; the contract allows 2**20

REQUESTED = "requested"
READY = "ready"


class Key(NamedTuple):
    """Where a server runs: `server` is "" for the default one."""

    user: str
    server: str


@dataclass(frozen=True)
class Seat:
    """The session of a server, and since when it is in its phase (RFC 3339)."""

    user: str
    server: str
    session: str
    phase: str
    since: str

    @property
    def key(self) -> Key:
        return Key(self.user, self.server)


@dataclass(frozen=True)
class Queued:
    """An event of the outbox as it will be sent."""

    seq: int
    body: str


def open_store(path: str) -> sqlite3.Connection:
    """Open or make the file, or a store in memory for ":memory:".

    Raises sqlite3.Error or OSError when the place cannot be written.
    """
    if path != ":memory:":
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)  # it holds the names of people
    store = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        prepare(store)
    except sqlite3.Error:
        store.close()
        raise
    return store


def prepare(store: sqlite3.Connection) -> None:
    """Make the tables and, with a new file, its epoch."""
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("PRAGMA synchronous = FULL")
    store.executescript(SCHEMA)
    store.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", [uuid.uuid4().hex])


def is_damaged(error: Exception) -> bool:
    """Whether SQLite says that the file is no (whole) database."""
    return type(error) is sqlite3.DatabaseError


def set_aside(path: str) -> Path:
    """Move a damaged file out of the way, for people to look at; its name says when."""
    file = Path(path)
    kept = file.with_name(f"{file.name}.damaged-{time.time_ns()}")
    file.rename(kept)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            file.with_name(file.name + suffix).rename(kept.with_name(kept.name + suffix))
    return kept


def epoch(store: sqlite3.Connection) -> str:
    """The 32 hexadecimal digits made with the file: another epoch means a lost file."""
    row = store.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
    return str(row[0])


def add_events(store: sqlite3.Connection, bodies: Iterable[str]) -> None:
    store.executemany("INSERT INTO event (body) VALUES (?)", [(body,) for body in bodies])


def put_seat(store: sqlite3.Connection, seat: Seat) -> None:
    row = (seat.user, seat.server, seat.session, seat.phase, seat.since)
    store.execute("INSERT OR REPLACE INTO seat VALUES (?, ?, ?, ?, ?)", row)


def clear_seat(store: sqlite3.Connection, key: Key) -> None:
    store.execute("DELETE FROM seat WHERE user = ? AND server = ?", key)


def seats(store: sqlite3.Connection) -> list[Seat]:
    return [Seat(*row) for row in store.execute("SELECT * FROM seat")]


def count_events(store: sqlite3.Connection) -> int:
    return int(store.execute("SELECT count(*) FROM event").fetchone()[0])


def has_snapshot(store: sqlite3.Connection) -> bool:
    """Whether a snapshot still waits to be sent."""
    query = 'SELECT 1 FROM event WHERE body LIKE \'%"type":"hub.snapshot"%\' LIMIT 1'
    return store.execute(query).fetchone() is not None


def oldest_events(store: sqlite3.Connection) -> list[Queued]:
    """The next request: the oldest events, as many as fit into one, at least one."""
    era, batch, size = epoch(store), list[Queued](), 0
    for seq, body in store.execute("SELECT * FROM event ORDER BY seq LIMIT ?", [MAX_EVENTS]):
        queued = Queued(seq, numbered(body, era, seq))
        size += len(queued.body.encode()) + 1
        if batch and size > MAX_BYTES:
            break
        batch.append(queued)
    return batch


def numbered(body: str, era: str, seq: int) -> str:
    """The event with its place in the order of this sender."""
    content: dict[str, Any] = json.loads(body)
    return json.dumps(content | {"epoch": era, "seq": seq}, separators=(",", ":"))


def settle(
    store: sqlite3.Connection, seqs: Sequence[int], parked: Iterable[tuple[int, str, str]]
) -> None:
    """Forget delivered events; keep those of `parked` (seq, code, detail) apart."""
    for seq, code, detail in parked:
        store.execute(
            "INSERT OR REPLACE INTO parked (seq, body, code, detail) "
            "SELECT seq, body, ?, ? FROM event WHERE seq = ?",
            [code, detail, seq],
        )
    store.executemany("DELETE FROM event WHERE seq = ?", [(seq,) for seq in seqs])


def keep_answer(store: sqlite3.Connection, user: str, body: str, received: str) -> None:
    """Keep the last good launch options of a person for a time without portal."""
    store.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", [user, body, received])


def kept_answer(store: sqlite3.Connection, user: str) -> tuple[str, str] | None:
    """The last good launch options of a person: JSON text and when it came, or None."""
    query = "SELECT body, received FROM answer WHERE user = ?"
    row = store.execute(query, [user]).fetchone()
    return (str(row[0]), str(row[1])) if row else None
