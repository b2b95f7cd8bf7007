"""What administrators see: the use of the whole service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page

from accounting import service_usage
from accounting.service_usage import Line, Lines, Wish
from accounting.usage import Window
from lsp_portal.lib.display import QuotaBar, compute_quota_bar
from lsp_portal.lib.paging import page_number, page_of
from quotas.models import AllocationPeriod, Award, ComputeQuota
from quotas.vocabulary import Usage, core_hours, millicore_seconds
from sessions.models import Session

ROWS = 25
COLUMNS = ("name", "title", "core_hours", "storage_bytes")
GROUP_COLUMNS = (*COLUMNS, "quota_core_hours")


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that are stored now, as they were measured last."""

    of_groups: int
    of_users: int

    @property
    def total(self) -> int:
        return self.of_groups + self.of_users


@dataclass(frozen=True, slots=True)
class Awarded:
    """What the service was given for the period, and what of it went to groups.

    Without awards everything that groups were given counts as awarded.
    """

    parts: list[tuple[str, int]]
    given: int
    bar: QuotaBar

    @property
    def not_given(self) -> int:
        """Below zero where groups were given more than there is."""
        return sum(amount for _, amount in self.parts) - self.given


@dataclass(frozen=True, slots=True)
class Overview:
    """Usage by group and by person: two views of the same total."""

    groups: Page[Line]
    users: Page[Line]
    total: Usage
    awarded: Awarded | None
    storage: Stored
    running: int
    pending: int
    unattributed: int


def overview(
    window: Window, period: AllocationPeriod | None, *, search: str, groups: str, users: str
) -> Overview:
    """The whole service in the window, with the pages of lines that are asked for.

    Storage, running, pending and unattributed sessions are those of now.
    """
    of_groups = service_usage.by_group(
        window, _quotas(period, at=window.at), Wish(search, page_number(groups), ROWS)
    )
    of_users = service_usage.by_user(window, Wish(search, page_number(users), ROWS))
    return Overview(
        groups=page_of(of_groups.lines, groups, of=of_groups.count, rows=ROWS),
        users=page_of(of_users.lines, users, of=of_users.count, rows=ROWS),
        total=of_groups.total,
        awarded=_awarded(of_groups, period) if period else None,
        storage=Stored(of_groups.stored, of_users.stored),
        running=Session.objects.open().running(at=window.at).count(),
        pending=Session.objects.pending(at=window.at).count(),
        unattributed=Session.objects.unattributed().count(),
    )


def group_lines(window: Window, period: AllocationPeriod | None) -> list[Line]:
    """All groups of the table, in its order."""
    return service_usage.by_group(window, _quotas(period, at=window.at)).lines


def user_lines(window: Window) -> list[Line]:
    """All people of the table, in its order."""
    return service_usage.by_user(window).lines


def cells(line: Line) -> list[str]:
    """The line as CSV has it, in the order of `COLUMNS`."""
    name, title = (line.named.name, line.named.title) if line.named else ("", "unattributed")
    stored = "" if line.storage is None else str(line.storage)
    return [name, title, str(core_hours(line.usage.millicore_seconds)), stored]


def group_cells(line: Line) -> list[str]:
    """The same with the quota, in the order of `GROUP_COLUMNS`."""
    return [*cells(line), "" if line.quota is None else str(core_hours(line.quota))]


def _quotas(period: AllocationPeriod | None, *, at: datetime) -> dict[int, int]:
    """The quota of each group in millicore-seconds; none where the window is no period."""
    if period is None:
        return {}
    quotas = ComputeQuota.objects.filter(period=period).with_limit(at=at)
    return {quota.group_id: millicore_seconds(quota.limit) for quota in quotas}


def _awarded(found: Lines, period: AllocationPeriod) -> Awarded:
    awards = Award.objects.filter(period=period).order_by("source")
    parts = [(award.source, millicore_seconds(award.core_hours)) for award in awards]
    limit = sum(amount for _, amount in parts) if parts else found.quotas
    used = found.total.millicore_seconds
    return Awarded(parts, found.quotas, compute_quota_bar(used, limit or None))
