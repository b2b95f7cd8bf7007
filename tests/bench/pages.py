"""How long the server works on a page, with as many sessions as `BENCH_SESSIONS` says.

The busiest group and person are asked for, since the others are cheaper.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import median

import time_machine
from django.db import connection
from django.test import Client

from accounting import rollups
from accounts.models import Group, Membership, User
from quotas.models import AllocationPeriod, ComputeQuota
from tests.bench.ledger import COUNT, NOW, fill, vacuum
from tests.bench.lines import Line

ROUNDS = 5
AT = NOW - timedelta(hours=7)
LEADER = ("/", "/my/", "/my/live", "/groups/", "/groups/group-1/", "/groups/group-1/what-if/")
STAFF = (
    "/overview/",
    "/overview/?first=2024-01-01&last=2026-12-31",
    "/groups/",
    "/groups/?q=group",
    "/groups/group-1/?first=2024-01-01&last=2026-12-31",
    "/admin/",
    "/admin/accounts/user/",
    "/admin/accounts/user/?q=person-77",
    "/admin/accounts/group/",
    "/admin/accounts/membership/",
    "/admin/hub_sessions/session/",
    "/admin/hub_sessions/session/?q=person-77",
    "/admin/hub_sessions/charge/",
    "/admin/hub_sessions/hubevent/",
    "/admin/quotas/computequota/",
    "/admin/accounting/exportmark/",
    "/api/v1/users",
    "/api/v1/groups",
)

REPORTS = (
    "/reports/?",
    "/reports/?by=user",
    "/reports/?by=hub",
    "/reports/?by=image",
    "/reports/?by=image&then=size",
    "/reports/?by=group&then=image",
    "/reports/?by=group&image=image-5",
    "/reports/?by=user&then=image&group=group-1",
    "/reports/?by=image&user=person-77",
    "/reports/members/?",
    "/api/v1/reports?by=group&then=size",
    "/sessions/?image=image-5",
)
WINDOWS = ("", "&first=2024-01-01&last=2026-12-31", "&first=2026-03-07&last=2026-09-20")
RAW = """
SELECT group_id, image, sum(k.millicore_seconds) FROM accounting_kindday k
JOIN accounting_kind i ON i.id = k.kind_id
WHERE day >= '2026-01-01' AND day < '2027-01-01' GROUP BY group_id, image
"""

# What goes on at any moment: servers run, the last day of some groups is stale, and a month of
# storage was measured.
PRESENT = (
    """
    WITH running AS (
        INSERT INTO hub_sessions_session (hub_id, key, user_name, server, seat, user_id, group_id,
            attributed_by, group_name, image, size, cpu_millicores, memory_mib, gpus, actor,
            requested_at, ready_at, end_source, end_reason, message, ended_before_ready, pod, node,
            pod_uid, recorded_at)
        SELECT hub_id, md5('r' || number)::uuid, user_name, 'running', seat, user_id, group_id,
            '', group_name, image, size, cpu_millicores, memory_mib, gpus, '',
            ready_at, ready_at, '', '', '', false, '', '', '', ready_at
        FROM hub_sessions_session WHERE ready_at < %(at)s ORDER BY number DESC LIMIT 2000
        RETURNING *
    )
    INSERT INTO hub_sessions_charge (session_id, user_id, group_id, started_at, cpu_millicores,
        memory_mib, gpus, sign, origin)
    SELECT number, user_id, group_id, ready_at, cpu_millicores, memory_mib, gpus, 1, 'notebook'
    FROM running
    """,
    """
    INSERT INTO hub_sessions_staleday (day, group_id)
    SELECT %(at)s::date, id FROM accounts_group ORDER BY id LIMIT 300
    """,
    """
    INSERT INTO hub_sessions_storagesample (
        user_id, mount, taken_at, used_bytes, source, is_stale)
    SELECT id, '/home', %(at)s - n * interval '1 day', n * 1000 + id, 'walk', false
    FROM accounts_user, generate_series(0, 29) n
    """,
    """
    INSERT INTO hub_sessions_storagesample (
        group_id, mount, taken_at, used_bytes, source, is_stale)
    SELECT id, '/group', %(at)s - n * interval '1 day', n * 1000 + id, 'walk', false
    FROM accounts_group, generate_series(0, 29) n
    """,
)
TABLES = (
    "accounting_userday", "accounting_groupday", "accounting_membermonth", "accounting_usermonth",
    "hub_sessions_groupmonth", "hub_sessions_staleday", "hub_sessions_storagesample",
    "hub_sessions_session", "hub_sessions_charge", "accounts_membership", "accounting_kindday",
    "accounting_kindmonth", "accounting_kind",
)  # fmt: skip


def run() -> list[Line]:
    """The slowest page of a PI, and the slowest of an administrator."""
    fill()
    _lead_and_allocate()
    rollups.rebuild()
    _go_on()
    vacuum(*TABLES)
    pi = User.objects.get(username="person-1")
    dora = User.objects.create(
        username="dora",
        is_staff=True,
        is_superuser=True,
        registered_at=datetime(2024, 1, 1, tzinfo=UTC),
    )
    reports = tuple(path + window for path in REPORTS for window in WINDOWS)
    return [
        _slowest("a PI", pi, LEADER),
        _slowest("an administrator", dora, STAFF),
        _slowest("a PI's reports", pi, tuple(path for path in reports if "person" not in path)),
        _slowest("an administrator's reports", dora, reports),
        _over_raw(dora),
    ]


def _over_raw(dora: User) -> Line:
    """A report by two dimensions over a year, and the days that it is about as bare SQL."""
    raw = median(_asked(RAW) for _ in range(ROUNDS))
    ours = _median(dora, "/reports/?by=group&then=image") / 1000
    note = f"{1000 * ours:.0f} over {1000 * raw:.0f} ms, {COUNT:,} sessions"
    return Line("a report over its days by bare SQL", ours / raw, 1.5, 1.0, less=True, note=note)


def _asked(statement: str) -> float:
    begin = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(statement)
        cursor.fetchall()
    return time.perf_counter() - begin


def _lead_and_allocate() -> None:
    """A year's period with a quota for each group, and the first person as PI of the busiest."""
    period = AllocationPeriod.objects.create(
        title="2026", starts_on=date(2026, 1, 1), ends_on=date(2027, 1, 1)
    )
    groups = Group.objects.all()
    ComputeQuota.objects.bulk_create(
        ComputeQuota(group=group, period=period, core_hours=Decimal(10**6)) for group in groups
    )
    beginning = datetime(2024, 1, 1, tzinfo=UTC)
    User.objects.update(registered_at=beginning)
    first = User.objects.get(username="person-1")
    Membership.objects.create(
        user=first, group=Group.objects.get(name="group-1"), role="pi", valid_from=beginning
    )


def _go_on() -> None:
    with connection.cursor() as cursor:
        for statement in PRESENT:
            cursor.execute(statement, {"at": AT})


def _slowest(who: str, person: User, paths: tuple[str, ...]) -> Line:
    times = {path: _median(person, path) for path in paths}
    path = max(times, key=lambda path: times[path])
    return Line(
        f"slowest page of {who}", times[path], 300, 100, less=True, unit="ms",
        note=f"{path} of {len(paths)} pages, {COUNT:,} sessions",
    )  # fmt: skip


def _median(person: User, path: str) -> float:
    """Milliseconds from request to answer; the first one, which fills caches, is left out."""
    with time_machine.travel(AT):
        client = Client(SERVER_NAME="127.0.0.1")
        client.force_login(person)
        return 1000 * median([_timed(client, path) for _ in range(1 + ROUNDS)][1:])


def _timed(client: Client, path: str) -> float:
    begin = time.perf_counter()
    answer = client.get(path)
    seconds = time.perf_counter() - begin
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code}")
    return seconds
