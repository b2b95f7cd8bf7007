"""Roll-ups: building them, keeping them while sessions end, and what pages read from them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from statistics import median, quantiles

from django.db import connection, transaction

from accounting import rollups
from accounting.charts import LARGEST
from accounting.group_usage import of_group
from accounting.usage import Window
from accounts.models import Group
from sessions.usage import used
from tests.bench.ledger import COUNT, NOW, fill, vacuum
from tests.bench.lines import Line

ROUNDS = 3
FINISHED = 2000
SAMPLES = 200

BARE_TABLES = """
CREATE TABLE bench_userday (LIKE accounting_userday INCLUDING ALL);
CREATE TABLE bench_groupday (LIKE accounting_groupday INCLUDING ALL);
CREATE TABLE bench_kindday (LIKE accounting_kindday INCLUDING ALL);
"""
BARE = """
TRUNCATE bench_userday, bench_groupday, bench_kindday;
INSERT INTO bench_userday (
    day, group_id, user_id, kind_id, millicore_seconds, mib_seconds, gpu_seconds)
SELECT day, group_id, user_id, md5(concat(hub_id, image, size))::uuid,
       sum(seconds * cpu_millicores), sum(seconds * memory_mib), sum(seconds * gpus)
FROM (
    SELECT day::date, c.group_id, c.user_id, s.hub_id, s.image, s.size, c.cpu_millicores,
           c.memory_mib, c.gpus, extract(epoch FROM least(c.ended_at, day + interval '1 day')
               - greatest(started_at, day))::bigint AS seconds
    FROM hub_sessions_charge c JOIN hub_sessions_session s ON s.number = c.session_id
    CROSS JOIN LATERAL generate_series(
        date_trunc('day', started_at), c.ended_at, '1 day') AS day
) t
GROUP BY day, group_id, user_id, hub_id, image, size;
INSERT INTO bench_groupday (day, group_id, millicore_seconds, mib_seconds, gpu_seconds)
SELECT day, group_id, sum(millicore_seconds), sum(mib_seconds), sum(gpu_seconds)
FROM bench_userday GROUP BY day, group_id;
INSERT INTO bench_kindday (day, group_id, kind_id, millicore_seconds, mib_seconds, gpu_seconds)
SELECT day, group_id, kind_id, sum(millicore_seconds), sum(mib_seconds), sum(gpu_seconds)
FROM bench_userday GROUP BY day, group_id, kind_id;
"""
FINISH = "UPDATE hub_sessions_charge SET ended_at = ended_at + interval '1 second' WHERE id = %s"
STALE = """
INSERT INTO hub_sessions_staleday (day, group_id)
SELECT ended_at::date, group_id FROM hub_sessions_charge WHERE id = %s
"""


def run() -> list[Line]:
    """The ratios, and the 95th percentile of the questions of a group's page."""
    fill()
    _execute(BARE_TABLES)
    pairs = [(_timed(lambda: _execute(BARE)), _timed(rollups.rebuild)) for _ in range(ROUNDS)]
    rebuild = median(ours / bare for bare, ours in pairs)
    vacuum("accounting_userday", "accounting_groupday")
    note = f"{COUNT:,} charges, {median(ours for _, ours in pairs):.1f} s"
    finishing = median(_finish(number) for number in range(ROUNDS))
    page = f"{COUNT:,} sessions, {SAMPLES} groups"
    return [
        Line("roll-up rebuild over bare SQL", rebuild, 1.5, 1.1, less=True, note=note),
        Line("finishing with roll-up over without", finishing, 0.55, 0.70),
        Line("SQL of a group's page, p95", _page(), 50, 5, less=True, unit="ms", note=page),
    ]


def _finish(number: int) -> float:
    """Sessions that end in a transaction each, alone and with what roll-ups take."""
    charges = _charges(number)
    alone = _timed(partial(_end_each, charges, [FINISH]))
    kept = _timed(partial(_end_each, charges, [FINISH, STALE]))
    return alone / (kept + _timed(rollups.refresh))


def _charges(number: int) -> list[int]:
    """Those of the last days, as they would end now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM hub_sessions_charge ORDER BY id DESC LIMIT %s OFFSET %s",
            [FINISHED, number * FINISHED],
        )
        return [row[0] for row in cursor.fetchall()]


def _end_each(charges: list[int], statements: list[str]) -> None:
    for charge in charges:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement, [charge])


def _page() -> float:
    """Milliseconds for what the page of a group asks: a year's chart, its table, the quota."""
    random, groups = Random(7), list(Group.objects.order_by("pk"))
    busy = [groups[0], *random.choices(groups, k=SAMPLES - 1)]
    times = [_timed(partial(_ask, group)) for group in busy]
    return 1000 * quantiles(times, n=20)[-1]


def _ask(group: Group) -> None:
    at = NOW - timedelta(hours=7)
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), NOW, at)
    of_group(group, window, largest=LARGEST)
    used(group=group, start=window.start, end=window.end, at=at)


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _timed(work: Callable[[], object]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin
