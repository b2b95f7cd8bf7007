"""How long the server works on a page, with as many sessions as `BENCH_SESSIONS` says.

The busiest group and person are asked for, since the others are cheaper.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import median

import time_machine
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
    "/overview/?from=2024-01-01&to=2027-01-01",
    "/groups/",
    "/groups/?q=group",
    "/groups/group-1/?from=2024-01-01&to=2027-01-01",
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


def run() -> list[Line]:
    """The slowest page of a PI, and the slowest of an administrator."""
    fill()
    _lead_and_allocate()
    rollups.rebuild()
    vacuum("accounting_userday", "accounting_groupday", "accounts_membership")
    pi = User.objects.get(username="person-1")
    dora = User.objects.create(
        username="dora",
        is_staff=True,
        is_superuser=True,
        registered_at=datetime(2024, 1, 1, tzinfo=UTC),
    )
    return [_slowest("a PI", pi, LEADER), _slowest("an administrator", dora, STAFF)]


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
