"""What the page of a group shows: its usage in a window, against its quotas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.core.paginator import Page

from accounting import charts, usage
from accounting.group_usage import Breakdown, of_group
from accounting.usage import Named, Window
from accounts.models import Group, Membership
from lsp_portal.lib.display import QuotaBar, compute_quota_bar, storage_quota_bar
from lsp_portal.lib.paging import page_number, page_of
from quotas.models import AllocationPeriod, ComputeQuota
from quotas.vocabulary import Usage, core_hours, millicore_seconds
from sessions.models import Session
from sessions.storage import areas as storage_areas

MEMBER_ROWS = 50
MEMBER_COLUMNS = ("user", "name", "role", "core_hours", "percent")
DAY_COLUMNS = ("day", "user", "name", "core_hours")

MODE_WORDS: dict[str, str] = {
    ComputeQuota.Mode.NOMINAL: "What is used beyond it is counted, nothing is refused.",
    ComputeQuota.Mode.SOFT: "Once it is used up, new sessions are refused.",
    ComputeQuota.Mode.HARD: "Once it is used up, new sessions are refused and running ones stop.",
}


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A person's part of the group's usage; without a role, the person has left the group."""

    user: Named | None
    role: str
    usage: Usage
    percent: Decimal

    def cells(self) -> list[str]:
        """The row as CSV has it, in the order of `MEMBER_COLUMNS`."""
        used = core_hours(self.usage.millicore_seconds)
        return [*_names(self.user), self.role, str(used), str(self.percent)]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything on a group's page but its sessions; all sums come from one reading."""

    total: Usage
    members: Page[MemberRow]
    leaders: list[str]
    figure: dict[str, Any]
    compute: QuotaBar | None
    mode: str
    storage: QuotaBar
    storage_measured_at: datetime | None
    running: int
    is_closed: bool


def dashboard(
    group: Group, window: Window, period: AllocationPeriod | None, *, members: str = ""
) -> Dashboard:
    """The group in the window, with that page of members; quotas where it is a period."""
    used = of_group(
        group, window, largest=charts.LARGEST, page=page_number(members), rows=MEMBER_ROWS
    )
    quota = _quota(group, period, at=window.at)
    area = storage_areas.of_group(group, at=window.at)
    return Dashboard(
        total=used.total,
        members=page_of(_members(used), members, of=used.count, rows=MEMBER_ROWS),
        leaders=_leaders(group, at=window.at),
        figure=charts.core_hours_per_day(_days(window), used, ranks=_ranks(group)),
        compute=_compute_bar(group, quota, used.total, at=window.at),
        mode=MODE_WORDS[quota.mode] if quota else "",
        storage=storage_quota_bar(area.used, area.limit),
        storage_measured_at=area.taken_at,
        running=running(group, at=window.at),
        is_closed=group.is_closed(at=window.at),
    )


def running(group: Group, *, at: datetime) -> int:
    """How many sessions of the group run at this moment."""
    return Session.objects.open().filter(group=group).running(at=at).count()


def member_rows(group: Group, window: Window) -> list[MemberRow]:
    """The table by member, as on the page."""
    return _members(of_group(group, window, largest=0))


def day_cells(group: Group, window: Window) -> Iterator[list[str]]:
    """What the chart draws, in the order of `DAY_COLUMNS`: a row for each day and person."""
    for row in usage.by_day_and_user(window, group=group):
        used = core_hours(row.usage.millicore_seconds)
        yield [row.day.isoformat(), *_names(row.user), str(used)]


def _members(used: Breakdown) -> list[MemberRow]:
    words = dict(Membership.Role.choices)
    return [
        MemberRow(
            row.user, str(words.get(row.role, "")), row.usage, _percent(row.usage, used.total)
        )
        for row in used.members
    ]


def _leaders(group: Group, *, at: datetime) -> list[str]:
    leading = Membership.objects.filter(group=group, role=Membership.Role.PI).valid(at=at)
    return sorted({row.user.pk: row.user.title for row in leading.select_related("user")}.values())


def _ranks(group: Group) -> dict[int, int]:
    """The place of each person in the group, by id; who leaves keeps it."""
    ever = Membership.objects.filter(group=group).order_by("pk").values_list("user", flat=True)
    return {user: place for place, user in enumerate(dict.fromkeys(ever))}


def _names(user: Named | None) -> list[str]:
    return [user.name, user.title] if user else ["", charts.UNKNOWN]


def _percent(part: Usage, total: Usage) -> Decimal:
    if not total.millicore_seconds:
        return Decimal("0.0")
    share = Decimal(100 * part.millicore_seconds) / total.millicore_seconds
    return share.quantize(Decimal("0.1"))


def _quota(group: Group, period: AllocationPeriod | None, *, at: datetime) -> ComputeQuota | None:
    if period is None:
        return None
    quotas = ComputeQuota.objects.select_related("period").filter(group=group, period=period)
    return quotas.with_limit(at=at).first()


def _compute_bar(
    group: Group, quota: ComputeQuota | None, total: Usage, *, at: datetime
) -> QuotaBar | None:
    if quota is None:
        return None
    is_current = quota.period.starts_at <= at < quota.period.ends_at
    held = Session.objects.filter(group=group).holding(at=at).hold() if is_current else 0
    limit = millicore_seconds(quota.limit)
    return compute_quota_bar(total.millicore_seconds, limit, held=held)


def _days(window: Window) -> list[date]:
    """The days of the chart: those to come are left out."""
    today = window.at.astimezone(UTC).date()
    return [day for day in window.days if day <= today]
