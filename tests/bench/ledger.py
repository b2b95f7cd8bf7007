"""Sessions and charges in bulk, straight by SQL: people, groups, sizes and lengths as in real life.

Groups and people are not equally busy: the n-th has a share of about 1/n. `BENCH_SESSIONS` sets how
many sessions there are.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from accounts.models import Group, User
from sessions.models import Hub

COUNT = int(os.environ.get("BENCH_SESSIONS", "200000"))
SECONDS = 3 * 365 * 86400  # from 2024-01-01 on
NOW = datetime(2027, 1, 1, tzinfo=UTC)
TABLES = ("accounts_user", "accounts_group", "hub_sessions_session", "hub_sessions_charge")

# Ordered by start, as they would have come.
SESSIONS = """
INSERT INTO hub_sessions_session (hub_id, key, user_name, server, seat, user_id, group_id,
    attributed_by, group_name, image, size, cpu_millicores, memory_mib, gpus, actor, checked,
    requested_at, ready_at, stopped_at, ended_at, end_source, end_reason, message,
    ended_before_ready, pod, node, pod_uid, recorded_at)
SELECT %(hub)s, md5('s' || n)::uuid, 'person-' || person, '', md5('p' || person)::uuid,
    %(first_user)s + person - 1, %(first_group)s + team - 1, '', 'group-' || team,
    'image-' || floor(sqrt(n %% 37)), (ARRAY['tiny', 'small', 'medium', 'large'])[1 + n %% 4],
    (ARRAY[500, 1000, 2000, 4000])[1 + n %% 4], (ARRAY[1024, 2048, 4096, 8192])[1 + n %% 4],
    0, '', true,
    start - interval '20 seconds', start, start + length, start + length, 'stop',
    (ARRAY['user', 'culled', 'crashed', 'oom'])[1 + n %% 4], '', false, '', 'node-' || n %% 50, '',
    start
FROM (
    SELECT n, timestamptz '2024-01-01Z'
            + make_interval(secs => floor(n::float8 / %(sessions)s * %(seconds)s)) AS start,
        make_interval(secs => floor(exp(random() * 6.0 + 5.5))) AS length,
        floor(exp(random() * ln(%(people)s)))::int AS person,
        floor(exp(random() * ln(%(groups)s)))::int AS team
    FROM generate_series(1, %(sessions)s) AS n
) t
ORDER BY n
"""
CHARGES = """
INSERT INTO hub_sessions_charge (session_id, user_id, group_id, started_at, ended_at,
    cpu_millicores, memory_mib, gpus, sign, origin)
SELECT number, user_id, group_id, ready_at, ended_at, cpu_millicores, memory_mib, gpus, 1,
    'notebook'
FROM hub_sessions_session ORDER BY number
"""


def fill(*, sessions: int = COUNT, groups: int = 1000, people: int = 10_000) -> Hub:
    """So many finished sessions over three years, and a charge for each."""
    hub = Hub.objects.create(name="bench", title="Bench")
    sizes = {"sessions": sessions, "groups": groups, "people": people, "seconds": SECONDS}
    User.objects.bulk_create(User(username=f"person-{n}") for n in range(1, people + 1))
    Group.objects.bulk_create(
        Group(name=f"group-{n}", title=f"Group {n}") for n in range(1, groups + 1)
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        sizes["first_user"] = _first(cursor, "accounts_user", "username LIKE 'person-%'")
        sizes["first_group"] = _first(cursor, "accounts_group", "name LIKE 'group-%'")
        # The keys are right by construction; checking millions of them would take minutes.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(SESSIONS, {**sizes, "hub": hub.pk})
        cursor.execute(CHARGES)
    vacuum(*TABLES)
    return hub


def vacuum(*tables: str) -> None:
    """Leave the tables as a quiet night would."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"VACUUM ANALYZE {table}")


def _first(cursor: CursorWrapper, table: str, condition: str) -> int:
    cursor.execute(f"SELECT min(id) FROM {table} WHERE {condition}")
    return int(cursor.fetchone()[0])
