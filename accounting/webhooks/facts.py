"""What there is to tell, read from what is so now: nothing is lost if nobody looked for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef

from accounting.models import GroupDay, Statement
from accounting.webhooks.models import Kind, Webhook
from quotas.vocabulary import core_hours
from sessions.models import LadderStep, StaleDay, StorageSample

LOOK_BACK = timedelta(days=40)
"""Days that change later than this are in the reports, and no longer told."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is told about one thing; told again when the content has changed."""

    kind: Kind
    key: str
    content: dict[str, Any]


def facts(webhook: Webhook, *, at: datetime) -> Iterator[Fact]:
    """What the webhook is to know, of its kinds and its group, from its making on."""
    since = max(webhook.created_at, at - LOOK_BACK)
    for kind in Kind:
        if kind in webhook.kinds:
            yield from READERS[kind](webhook, since, at)


def _usage(webhook: Webhook, since: datetime, at: datetime) -> Iterator[Fact]:
    """Days that are over, and whose sums are up to date."""
    stale = StaleDay.objects.filter(group=OuterRef("group"), day=OuterRef("day"))
    days = GroupDay.objects.filter(
        ~Exists(stale),
        day__gte=since.date(),
        day__lt=at.astimezone(UTC).date(),
        group__isnull=False,
    )
    for row in _of(webhook, days).select_related("group").order_by("day", "group").iterator():
        name = row.group.name if row.group else ""
        content = {
            "group": name,
            "day": row.day.isoformat(),
            "core_hours": str(core_hours(row.millicore_seconds)),
            "millicore_seconds": row.millicore_seconds,
            "mib_seconds": row.mib_seconds,
            "gpu_seconds": row.gpu_seconds,
        }
        yield Fact(Kind.USAGE, f"{name}/{row.day}", content)


def _quotas(webhook: Webhook, since: datetime, at: datetime) -> Iterator[Fact]:
    steps = LadderStep.objects.filter(reached_at__gte=since, was_passed=False)
    if webhook.group_id:
        steps = steps.filter(quota__group=webhook.group_id)
    for step in steps.select_related("quota__group", "quota__period").order_by("pk").iterator():
        content = {
            "group": step.quota.group.name,
            "period": step.quota.period.title,
            "step": step.step,
            "title": step.get_step_display(),
            "reached_at": _moment(step.reached_at),
            "used_core_hours": str(core_hours(step.used)),
            "quota_core_hours": str(core_hours(step.limit)),
        }
        yield Fact(Kind.QUOTA, str(step.pk), content)


def _storage(webhook: Webhook, since: datetime, at: datetime) -> Iterator[Fact]:
    samples = _of(webhook, StorageSample.objects.filter(taken_at__gte=since))
    for sample in samples.select_related("user", "group").order_by("pk").iterator():
        content = {
            "user": sample.user.username if sample.user else None,
            "group": sample.group.name if sample.group else None,
            "mount": sample.mount,
            "taken_at": _moment(sample.taken_at),
            "bytes": sample.used_bytes,
            "files": sample.files,
            "limit_bytes": sample.limit_bytes,
        }
        yield Fact(Kind.STORAGE, str(sample.pk), content)


def _statements(webhook: Webhook, since: datetime, at: datetime) -> Iterator[Fact]:
    """Of the whole platform: a webhook of a group is not told."""
    statements = Statement.objects.none() if webhook.group_id else Statement.objects.all()
    for statement in statements.filter(closed_at__gte=since).order_by("number"):
        content = {
            "number": statement.number,
            "period": statement.title,
            "starts_on": statement.starts_on.isoformat(),
            "ends_on": statement.ends_on.isoformat(),
            "closed_at": _moment(statement.closed_at),
            "hash": statement.hash,
        }
        yield Fact(Kind.STATEMENT, str(statement.number), content)


def _of(webhook: Webhook, rows: Any) -> Any:
    return rows.filter(group=webhook.group_id) if webhook.group_id else rows


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


READERS: dict[Kind, Callable[[Webhook, datetime, datetime], Iterator[Fact]]] = {
    Kind.USAGE: _usage,
    Kind.QUOTA: _quotas,
    Kind.STORAGE: _storage,
    Kind.STATEMENT: _statements,
}
