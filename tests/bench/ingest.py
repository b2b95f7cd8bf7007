"""Taking in events over HTTP: one event per request, and a hundred.

The raw limits are what PostgreSQL does with the same events in the same run when nobody verifies,
reads or decides anything, into copies of the portal's tables: an INSERT of the event and an upsert
of a session's three times, as prepared statements of 16 clients; and a COPY of a hundred events
with one upsert of their sessions.
Rounds alternate, medians count.
"""

from __future__ import annotations

import base64
import io
import multiprocessing
import socket
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from django.db import connection

from accounts.models import Group, Membership, User
from lsp_portal.lib import clock
from sessions.hub.secrets import issue_secret, secret_text
from sessions.models import Hub
from tests.bench.lines import Line
from tests.bench.senders import KINDS, PEOPLE, Event, answers, lives, request
from tests.processes import environment, running

CLIENTS = 16
BATCH_CLIENTS = 8
BATCH = 100
ROUNDS = 5
SECONDS = 2.0
PREPARED = 1500  # requests of one event for each client and round
PREPARED_BATCHES = 60

# Copies of the portal's own tables, with their columns, indexes and checks.
RAW_TABLES = """
    CREATE TABLE bench_event (LIKE hub_sessions_hubevent INCLUDING ALL);
    CREATE TABLE bench_session (LIKE hub_sessions_session INCLUDING ALL);
"""
EVENT = """
    INSERT INTO bench_event (hub_id, event_id, epoch, seq, type, time, user_name, server, session,
        data, raw, digest, received_at) {source} ON CONFLICT (hub_id, event_id) DO NOTHING
"""
UPSERT = """
    INSERT INTO bench_session AS s (hub_id, key, user_name, server, requested_at, ready_at,
        stopped_at, attributed_by, group_name, image, size, actor, end_source, end_reason, message,
        ended_before_ready, pod, node, pod_uid, recorded_at) {source}
    ON CONFLICT (hub_id, key) DO UPDATE SET
        requested_at = least(s.requested_at, excluded.requested_at),
        ready_at = least(s.ready_at, excluded.ready_at),
        stopped_at = least(s.stopped_at, excluded.stopped_at)
"""
EMPTY = "'', '', '', '', '', '', '', '', false, '', '', '', now()"
RAW_PREPARE = f"""
    PREPARE bench_add AS {
    EVENT.format(source="VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, sha256($10), now())")
};
    PREPARE bench_change AS {UPSERT.format(source=f"VALUES (1, $1, $2, $3, $4, $5, $6, {EMPTY})")};
"""
# The stage is a table of its own for each client, emptied by the transaction's end.
STAGE = """
    CREATE TEMP TABLE stage (event_id text, epoch text, seq int, type text, time timestamptz,
        user_name text, server text, session uuid, data jsonb, raw text) ON COMMIT DELETE ROWS
"""
RAW_STORE = EVENT.format(
    source="""SELECT 1, event_id, epoch, seq, type, time, user_name, server, session, data,
        convert_to(raw, 'UTF8'), sha256(convert_to(raw, 'UTF8')), now() FROM stage"""
)
RAW_CHANGE = UPSERT.format(
    source="SELECT 1, session, min(user_name), min(server), "
    + ", ".join(f"min(time) FILTER (WHERE type = 'session.{kind}')" for kind in KINDS)
    + f", {EMPTY} FROM stage GROUP BY session ORDER BY session"
)
COLUMNS = ("id", "epoch", "seq", "type", "time", "user", "server", "session")


def raw_single(until: float) -> int:
    """Events that are only stored, until the time is over."""
    events = lives()
    done = 0
    with connection.cursor() as cursor:
        cursor.execute(RAW_PREPARE)
        while time.monotonic() < until:
            event = next(events)
            times = [
                event["time"] if event["type"] == f"session.{kind}" else None for kind in KINDS
            ]
            columns: list[Any] = [event[name] for name in COLUMNS]
            columns += [orjson.dumps(event["data"]).decode(), orjson.dumps(event)]
            place: list[Any] = [event["session"], event["user"], event["server"], *times]
            cursor.execute("BEGIN")
            cursor.execute(f"EXECUTE bench_add ({', '.join(['%s'] * len(columns))})", columns)
            cursor.execute(f"EXECUTE bench_change ({', '.join(['%s'] * len(place))})", place)
            cursor.execute("COMMIT")
            done += 1
    return done


def raw_batch(until: float) -> int:
    """Batches that are only stored, until the time is over."""
    events = lives()
    done = 0
    with connection.cursor() as cursor:
        cursor.execute(STAGE)
        while time.monotonic() < until:
            rows = "".join(map(_copied, islice(events, BATCH)))
            cursor.execute("BEGIN")
            cursor.copy_expert("COPY stage FROM STDIN", io.StringIO(rows))
            cursor.execute(RAW_STORE)
            cursor.execute(RAW_CHANGE)
            cursor.execute("COMMIT")
            done += 1
    return done


def _copied(event: Event) -> str:
    columns = [str(event[name]) for name in COLUMNS]
    columns += [orjson.dumps(event["data"]).decode(), orjson.dumps(event).decode()]
    return "\t".join(columns).replace("\\", "\\\\") + "\n"


RAW = {1: raw_single, BATCH: raw_batch}
SENDERS = {1: CLIENTS, BATCH: BATCH_CLIENTS}


def raw(size: int) -> float:
    """Transactions per second of all clients, each a process with a connection of its own."""
    context = multiprocessing.get_context("fork")
    connection.close()
    counts = context.Queue()
    until = time.monotonic() + 0.5 + SECONDS
    processes = [
        context.Process(target=_work, args=(size, until, counts)) for _ in range(SENDERS[size])
    ]
    for process in processes:
        process.start()
    rate: float = sum(counts.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    return rate


def _work(size: int, until: float, counts: multiprocessing.Queue[float]) -> None:
    connection.ensure_connection()
    begin = time.monotonic()
    done = RAW[size](until)
    counts.put(done / (time.monotonic() - begin))
    connection.close()


def portal(port: int, secret: str, size: int) -> float:
    """Requests per second that the portal answers after everything they change is committed."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    prepared = []
    for _ in range(SENDERS[size]):
        events = lives()
        count = PREPARED if size == 1 else PREPARED_BATCHES
        path = "/api/v1/hubs/bench/events"
        prepared.append([request(path, key, list(islice(events, size))) for _ in range(count)])
        prepared[-1].reverse()
    return answers(port, prepared, SECONDS)


def prepare() -> str:
    """A hub, and people of a group for whom it sends. The hub's secret."""
    beginning = datetime(2020, 1, 1, tzinfo=UTC)
    group = Group.objects.create(name="bench", title="Bench")
    for number in range(PEOPLE):
        user = User.objects.create(username=f"user-{number}", registered_at=beginning)
        Membership.objects.create(user=user, group=group, valid_from=beginning)
    hub = Hub.objects.create(name="bench", title="Bench")
    with connection.cursor() as cursor:
        cursor.execute(RAW_TABLES)
    return secret_text(issue_secret(hub, clock.now()))


def run() -> list[Line]:
    """Both ratios, measured against the portal under granian with two workers."""
    secret = prepare()
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    program = ["granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "8"]
    program += ["--port", str(port), "--log-level", "warning", "lsp_portal.wsgi:application"]
    with tempfile.TemporaryDirectory() as home:
        log = Path(home) / "portal.log"
        with running(program, environment(Path(home)), log):
            _wait_for(port, log)
            pairs = {size: [_round(port, secret, size) for _ in range(ROUNDS)] for size in RAW}
    return [
        _line("one event per request over raw transactions", pairs[1], 0.30, 0.70, 1),
        _line("100 events per request over COPY and upsert", pairs[BATCH], 0.50, 0.80, BATCH),
    ]


def _round(port: int, secret: str, size: int) -> tuple[float, float]:
    rates = raw(size), portal(port, secret, size)
    with connection.cursor() as cursor:
        for table in ("hubevent", "session", "charge"):
            cursor.execute(f"VACUUM ANALYZE hub_sessions_{table}")
    return rates


def _line(
    name: str, pairs: list[tuple[float, float]], must: float, ambitious: float, size: int
) -> Line:
    ratio = median(taken / limit for limit, taken in pairs)
    limit, taken = (median(values) * size for values in zip(*pairs, strict=True))
    note = f"{taken:,.0f} of {limit:,.0f} events/s, {SENDERS[size]} senders, granian 2 x 8"
    return Line(name, ratio, must, ambitious, note=note)


def _wait_for(port: int, log: Path) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(log.read_text())
