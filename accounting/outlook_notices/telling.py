"""Telling those who are responsible what becomes of their groups' quotas: each step once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from accounting import usage
from accounting.outlook_notices.messages import Account, messages
from accounting.pages.group import MODE_WORDS
from accounting.usage import Window
from accounts.models import Membership, Notice, User
from accounts.notices.announcing import Message, announce
from quotas import forecast
from quotas.forecast import Pace
from quotas.models import AllocationPeriod, ComputeQuota
from quotas.vocabulary import millicore_seconds
from sessions.pace import paces

BATCH = 200


def tell_outlooks(*, at: datetime) -> int:
    """Announce what is to be told of every open group's quota; how many notices were written.

    Reads state alone, so a day that was missed is made up for by the next.
    """
    period = AllocationPeriod.objects.current(at=at)
    if period is None:
        return 0
    used = _used(period, at)
    quotas = ComputeQuota.objects.filter(period=period).with_limit(at=at).select_related("group")
    rows = [quota for quota in quotas.order_by("pk") if not quota.group.is_closed(at=at)]
    batches = (rows[first : first + BATCH] for first in range(0, len(rows), BATCH))
    return sum(_tell(batch, period, used, at) for batch in batches)


def _used(period: AllocationPeriod, at: datetime) -> dict[int, int]:
    window = Window(period.starts_at, period.ends_at, at)
    rows = usage.by_group(window)
    return {row.group.pk: row.usage.millicore_seconds for row in rows if row.group}


def _tell(
    quotas: Sequence[ComputeQuota],
    period: AllocationPeriod,
    used: Mapping[int, int],
    at: datetime,
) -> int:
    groups = [quota.group_id for quota in quotas]
    pace = paces(groups, at=at)
    said = {
        quota.group_id: messages(
            _account(quota, period, used.get(quota.group_id, 0), pace[quota.group_id], at), at=at
        )
        for quota in quotas
    }
    news = list(_news(said, responsible_by_group(groups, at=at)))
    for message, people in news:
        announce(message, to=people, at=at)
    return sum(len(people) for _, people in news)


def _account(
    quota: ComputeQuota, period: AllocationPeriod, used: int, pace: Pace | None, at: datetime
) -> Account:
    limit, ends_at = millicore_seconds(quota.limit), period.ends_at
    return Account(
        quota=quota.pk,
        group_name=quota.group.name,
        group_title=quota.group.title,
        period_title=period.title,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        limit=limit,
        used=used,
        mode_words=MODE_WORDS[quota.mode],
        forecast=forecast.forecast(pace, remaining=limit - used, at=at, ends_at=ends_at)
        if pace
        else None,
    )


def _news(
    said: Mapping[int, Sequence[Message]], responsible: Mapping[int, Sequence[User]]
) -> Iterator[tuple[Message, list[User]]]:
    """The messages with those who were not told yet."""
    keys = [message.key for found in said.values() for message in found]
    told = set(Notice.objects.filter(key__in=keys).values_list("key", "recipient"))
    for group, found in said.items():
        for message in found:
            people = [one for one in responsible[group] if (message.key, one.pk) not in told]
            if people:
                yield message, people


def responsible_by_group(groups: Sequence[int], *, at: datetime) -> dict[int, list[User]]:
    """The active PIs of each group, and its managers with the right."""
    rows = Membership.objects.valid(at=at).with_right(Membership.Right.USAGE)
    rows = rows.filter(group__in=groups, user__is_active=True).select_related("user")
    found: dict[int, dict[int, User]] = defaultdict(dict)
    for row in rows.order_by("user__username"):
        found[row.group_id][row.user_id] = row.user
    return defaultdict(list, {group: list(people.values()) for group, people in found.items()})
