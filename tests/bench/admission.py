"""Admission: 16 clients launch for one group, through the domain function.

The raw limit is what PostgreSQL does without any summing: a conditional UPDATE of one balance and
an INSERT, as prepared statements, by the same clients in the same run. Rounds alternate, medians
count. Afterwards a quota that fits a known number is filled up: not one session too many.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_UP, Decimal
from multiprocessing.synchronize import Barrier
from statistics import median
from uuid import uuid4

from django.db import connection

from accounts.models import Group, Membership, User
from quotas.models import AllocationPeriod, ComputeQuota
from sessions import launch
from sessions.grants import Ask
from sessions.models import Charge, Hub, Image, Session, Size
from sessions.refusals import LaunchRefused
from tests.bench.lines import Line

CLIENTS = 16
ROUNDS = 5
SECONDS = 2.0
WARM_UP = 1.0  # seconds, until every connection has planned its statements
SPEED = 600  # seconds of the launches in one of ours: leases run out in a tenth of it
RUNNING = 50  # sessions of the group that run meanwhile
MUST, AMBITIOUS = 0.25, 0.40
FITS = 137
LEASE = 60  # seconds
HOUR = 3_600_000  # millicore-seconds of a core-hour
NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)

RAW_TABLES = """
    CREATE TABLE bench_balance (id int PRIMARY KEY, free bigint NOT NULL);
    CREATE TABLE bench_session (
        id bigserial PRIMARY KEY, key uuid NOT NULL UNIQUE, group_id bigint NOT NULL,
        user_name text NOT NULL, millicores int NOT NULL, at timestamptz NOT NULL);
    CREATE INDEX ON bench_session (group_id, id);
    INSERT INTO bench_balance VALUES (1, 9000000000000000);
"""
RAW_PREPARE = """
    DEALLOCATE ALL;
    PREPARE bench_take AS UPDATE bench_balance SET free = free - $1 WHERE id = 1 AND free >= $1;
    PREPARE bench_add AS INSERT INTO bench_session (key, group_id, user_name, millicores, at)
        VALUES ($1, 1, $2, 1000, now());
"""

Client = Callable[[int, float], int]


def raw_client(number: int, until: float) -> int:
    """Launches that only keep a balance, until the time is over."""
    done = 0
    with connection.cursor() as cursor:
        cursor.execute(RAW_PREPARE)
        while time.monotonic() < until:
            cursor.execute("BEGIN")
            cursor.execute("EXECUTE bench_take (3600000)")
            if cursor.rowcount:
                cursor.execute("EXECUTE bench_add (%s, %s)", [str(uuid4()), f"user-{number}"])
            cursor.execute("COMMIT")
            done += 1
    return done


def portal_client(number: int, until: float) -> int:
    """Launches as the portal decides them, until the time is over."""
    hub, done = Hub.objects.get(name="bench"), 0
    while (moment := time.monotonic()) < until:
        launch.grant(hub, _ask(number), at=NOW + timedelta(seconds=moment % 1000 * SPEED))
        done += 1
    return done


def filling_client(number: int, until: float) -> int:
    """Launches until the quota is used up; how many were granted."""
    hub, done = Hub.objects.get(name="bench"), 0
    while True:
        try:
            launch.grant(hub, _ask(number), at=NOW)
        except LaunchRefused:
            return done
        done += 1


def _ask(number: int) -> Ask:
    name = f"user-{number}"
    return Ask(session=uuid4(), user=name, server="", actor=name, group="hot")


def together(client: Client, seconds: float = SECONDS, warm_up: float = WARM_UP) -> float:
    """Calls per second of all clients, each a process with a connection of its own."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(CLIENTS)
    counts: multiprocessing.Queue[int] = context.Queue()
    connection.close()
    times = (warm_up, seconds)
    arguments = [(client, number, times, barrier, counts) for number in range(CLIENTS)]
    processes = [context.Process(target=_work, args=each) for each in arguments]
    for process in processes:
        process.start()
    total = sum(counts.get(timeout=seconds + 60) for _ in processes)
    for process in processes:
        process.join()
    return total / seconds


def _work(
    client: Client,
    number: int,
    times: tuple[float, float],
    barrier: Barrier,
    counts: multiprocessing.Queue[int],
) -> None:
    warm_up, seconds = times
    if warm_up:
        client(number, time.monotonic() + warm_up)
    barrier.wait()
    counts.put(client(number, time.monotonic() + seconds))
    connection.close()


def prepare() -> None:
    """A group with a quota, running sessions and a member for each client."""
    group = Group.objects.create(name="hot", title="Hot")
    hub = Hub.objects.create(
        name="bench", title="Bench", default_size=Size.objects.get(name="tiny"), lease_seconds=LEASE
    )
    hub.images.set(Image.objects.all())
    hub.sizes.set(Size.objects.all())
    period = AllocationPeriod.objects.create(
        title="2026", starts_on=date(2026, 1, 1), ends_on=date(2027, 1, 1)
    )
    ComputeQuota.objects.create(
        group=group, period=period, core_hours=Decimal(10) ** 9, mode="hard"
    )
    for number in range(CLIENTS):
        _member(group, number)
    _run_sessions(hub, group)
    with connection.cursor() as cursor:
        cursor.execute(RAW_TABLES)


def _member(group: Group, number: int) -> None:
    user = User.objects.create(username=f"user-{number}", registered_at=NOW)
    Membership.objects.create(user=user, group=group, valid_from=NOW - timedelta(days=1))


def _run_sessions(hub: Hub, group: Group) -> None:
    """Sessions that run, each with its charge: what the sum under the lock has to add up."""
    started = NOW - timedelta(hours=5)
    running = Session.objects.bulk_create(
        Session(hub=hub, user_name="x", group=group, cpu_millicores=1000, ready_at=started)
        for _ in range(RUNNING)
    )
    Charge.objects.bulk_create(
        Charge(session=session, group=group, started_at=started, cpu_millicores=1000)
        for session in running
    )


def clear() -> None:
    """Forget the launches of a round, so that each one begins alike."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM hub_sessions_session WHERE granted_at IS NOT NULL")
        cursor.execute("TRUNCATE bench_session")
    connection.close()
    _vacuum()


def _vacuum() -> None:
    with connection.cursor() as cursor:
        for table in ("hub_sessions_session", "bench_balance", "accounts_group", "accounts_user"):
            cursor.execute(f"VACUUM ANALYZE {table}")


def fill_up() -> int:
    """How many of the launches were granted against a quota that fits `FITS`."""
    clear()
    used, held, more = 5 * RUNNING * HOUR, RUNNING * LEASE * 1000, FITS * LEASE * 500
    hours = Decimal(used + held + more) / HOUR
    ComputeQuota.objects.update(core_hours=hours.quantize(Decimal("0.000001"), ROUND_UP))
    together(filling_client, 1, warm_up=0)
    return Session.objects.filter(granted_at__isnull=False).count()


def run() -> list[Line]:
    """The ratio, and the launches beyond what the quota fits."""
    prepare()
    pairs = [_round() for _ in range(ROUNDS)]
    ratio = median(portal / raw for raw, portal in pairs)
    raw, portal = (median(values) for values in zip(*pairs, strict=True))
    note = f"{portal:,.0f}/s of {raw:,.0f}/s, {CLIENTS} clients, {RUNNING} sessions run"
    overshoot = fill_up() - FITS
    return [
        Line("admission over conditional UPDATE", ratio, MUST, AMBITIOUS, note=note),
        Line("launches beyond the quota", abs(overshoot), 0, 0, less=True, unit=""),
    ]


def _round() -> tuple[float, float]:
    clear()
    raw = together(raw_client)
    clear()
    return raw, together(portal_client)
