"""What administrators see: the use of the whole service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page, Paginator

from accounting import usage
from accounting.usage import Named, Window
from accounts.models import Group, User
from lsp_portal.lib.display import QuotaBar, compute_quota_bar
from quotas.models import AllocationPeriod, Award, ComputeQuota
from quotas.vocabulary import Usage, core_hours, millicore_seconds
from sessions.models import Session
from sessions.storage import sums as storage

ROWS = 25
COLUMNS = ("name", "title", "core_hours", "storage_bytes")
GROUP_COLUMNS = (*COLUMNS, "quota_core_hours")


@dataclass(frozen=True, slots=True)
class Line:
    """A group or a person with its usage; without a name what belongs to none that is known.

    `storage` in bytes, None where it was never measured; `quota` in millicore-seconds, None
    without one, or where the window is not an allocation period.
    """

    named: Named | None
    usage: Usage
    storage: int | None
    quota: int | None = None

    def cells(self) -> list[str]:
        """The line as CSV has it, in the order of `COLUMNS`."""
        name, title = (self.named.name, self.named.title) if self.named else ("", "unattributed")
        stored = "" if self.storage is None else str(self.storage)
        return [name, title, str(core_hours(self.usage.millicore_seconds)), stored]

    def group_cells(self) -> list[str]:
        """The same with the quota, in the order of `GROUP_COLUMNS`."""
        return [*self.cells(), "" if self.quota is None else str(core_hours(self.quota))]


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
    of_groups, of_users = group_lines(window, period), user_lines(window)
    total = sum((line.usage for line in of_groups), Usage())
    return Overview(
        groups=Paginator(_found(of_groups, search), ROWS).get_page(groups),
        users=Paginator(_found(of_users, search), ROWS).get_page(users),
        total=total,
        awarded=_awarded(total, of_groups, period) if period else None,
        storage=Stored(_stored(of_groups), _stored(of_users)),
        running=Session.objects.open().running(at=window.at).count(),
        pending=Session.objects.pending(at=window.at).count(),
        unattributed=Session.objects.unattributed().count(),
    )


def group_lines(window: Window, period: AllocationPeriod | None) -> list[Line]:
    """Every group with usage in the window, storage now, or a quota in the period, most first."""
    used = {_key(row.group): (row.group, row.usage) for row in usage.by_group(window)}
    stored, quotas = storage.by_group(), _quotas(period, at=window.at)
    for group in Group.objects.filter(pk__in=(stored.keys() | quotas.keys()) - used.keys()):
        used[group.pk] = (Named(group.pk, group.name, group.title), Usage())
    return _most_first(
        [Line(named, sums, stored.get(pk), quotas.get(pk)) for pk, (named, sums) in used.items()]
    )


def user_lines(window: Window) -> list[Line]:
    """Every person with usage in the window, or with a home that was measured, most first."""
    used = {_key(row.user): (row.user, row.usage) for row in usage.by_user(window)}
    stored = storage.by_user()
    for user in User.objects.filter(pk__in=stored.keys() - used.keys()):
        used[user.pk] = (Named(user.pk, user.username, user.title), Usage())
    return _most_first([Line(named, sums, stored.get(pk)) for pk, (named, sums) in used.items()])


def _key(named: Named | None) -> int | None:
    return named.pk if named else None


def _quotas(period: AllocationPeriod | None, *, at: datetime) -> dict[int | None, int]:
    if period is None:
        return {}
    quotas = ComputeQuota.objects.filter(period=period).with_limit(at=at)
    return {quota.group_id: millicore_seconds(quota.limit) for quota in quotas}


def _awarded(total: Usage, lines: list[Line], period: AllocationPeriod) -> Awarded:
    awards = Award.objects.filter(period=period).order_by("source")
    parts = [(award.source, millicore_seconds(award.core_hours)) for award in awards]
    given = sum(line.quota or 0 for line in lines)
    limit = sum(amount for _, amount in parts) if parts else given
    return Awarded(parts, given, compute_quota_bar(total.millicore_seconds, limit or None))


def _stored(lines: list[Line]) -> int:
    return sum(line.storage or 0 for line in lines)


def _most_first(lines: list[Line]) -> list[Line]:
    return sorted(
        lines,
        key=lambda line: (-line.usage.millicore_seconds, line.named.name if line.named else ""),
    )


def _found(lines: list[Line], search: str) -> list[Line]:
    word = search.strip().lower()
    if not word:
        return lines
    return [
        line
        for line in lines
        if line.named and word in f"{line.named.name} {line.named.title}".lower()
    ]
