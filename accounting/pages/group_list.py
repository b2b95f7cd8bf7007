"""The list of groups that somebody is responsible for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page, Paginator
from django.db.models import Q

from accounting import usage
from accounting.usage import Window
from accounts.models import Group, GroupQuerySet
from lsp_portal.lib.display import QuotaBar, compute_quota_bar
from quotas.models import AllocationPeriod, ComputeQuota
from quotas.vocabulary import Usage, millicore_seconds
from sessions.models import Session

ROWS = 25


@dataclass(frozen=True, slots=True)
class Line:
    """A group and how it stands in the current period; no bar between periods."""

    group: Group
    is_closed: bool
    bar: QuotaBar | None


def page(found: GroupQuerySet, *, search: str, number: str, at: datetime) -> Page[Line]:
    """A page of the groups, by name, each with its quota of the current period."""
    # PostgreSQL takes no NUL in a string.
    word = search.strip().replace("\0", "")
    if word:
        found = found.filter(Q(name__icontains=word) | Q(title__icontains=word))
    groups: Page[Group] = Paginator(found.order_by("name"), ROWS).get_page(number)
    period = AllocationPeriod.objects.current(at=at)
    lines = _lines(list(groups), period, at)
    return Page(lines, groups.number, groups.paginator)  # type: ignore[arg-type]  # it only counts


def _lines(groups: list[Group], period: AllocationPeriod | None, at: datetime) -> list[Line]:
    if period is None:
        return [Line(group, group.is_closed(at=at), None) for group in groups]
    window = Window(period.starts_at, period.ends_at, at)
    used = {row.group.pk: row.usage for row in usage.by_group(window) if row.group}
    quotas = ComputeQuota.objects.filter(period=period, group__in=groups).with_limit(at=at)
    limits = {quota.group_id: millicore_seconds(quota.limit) for quota in quotas}
    held = Session.objects.filter(group__in=groups).holding(at=at).hold_by_group()
    return [
        Line(
            group,
            group.is_closed(at=at),
            compute_quota_bar(
                used.get(group.pk, Usage()).millicore_seconds,
                limits.get(group.pk),
                held=held.get(group.pk, 0),
            ),
        )
        for group in groups
    ]
