"""Closing an allocation period: what stands against it, and the statement that freezes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q

from accounting.models import Statement, StatementLine
from accounting.statements.content import Key, Sums, digest, due, truth
from accounting.statements.naming import NamesThen
from accounts.models import User
from lsp_portal.lib import advisory
from quotas.models import AllocationPeriod
from sessions.models import Alert, Session, Snapshot, StaleDay

LOCK = "statements"
DISPUTED = (Alert.Kind.SEQUENCE_REUSED, Alert.Kind.CONFLICT, Alert.Kind.EMPTY_SNAPSHOT)


@dataclass
class ClosingRefused(Exception):  # noqa: N818 - a decision, not a fault
    """The period cannot be closed yet; each obstacle says what is in the way and what helps."""

    obstacles: list[str]
    code = "not_closable"
    status = 409

    def __str__(self) -> str:
        return " ".join(self.obstacles)


@transaction.atomic
def close_period(period: AllocationPeriod, *, author: User | None, at: datetime) -> Statement:
    """State for ever what was used in the period, with corrections of the statements before.

    Raises ClosingRefused.
    """
    advisory.lock(LOCK)
    if obstacles := against(period, at=at):
        raise ClosingRefused(obstacles)
    last = Statement.objects.order_by("number").last()
    statement = Statement(
        number=last.number + 1 if last else 1,
        period=period,
        title=period.title,
        starts_on=period.starts_on,
        ends_on=period.ends_on,
        closed_at=at,
        author=author,
        previous_hash=last.hash if last else "",
    )
    lines = list(_lines(statement, at=at))
    statement.hash = digest(statement, lines)
    statement.save(force_insert=True)
    StatementLine.objects.bulk_create(lines, batch_size=1000)
    return statement


def against(period: AllocationPeriod, *, at: datetime) -> list[str]:
    """What stands against closing the period now, in sentences; empty: nothing."""
    if Statement.objects.filter(period=period).exists():
        return [f"{period} is closed already."]
    if period.ends_at > at:
        return [f"{period} runs until {period.ends_on}: close it afterwards."]
    return [*_earlier(period), *_stale(period), *_disputed(period), *_unheard(period)]


def _earlier(period: AllocationPeriod) -> Iterator[str]:
    before = AllocationPeriod.objects.filter(ends_on__lte=period.starts_on, statement=None)
    if first := before.order_by("starts_on").first():
        yield f"{first} ended before and is not closed: close it first."


def _stale(period: AllocationPeriod) -> Iterator[str]:
    days = StaleDay.objects.filter(day__gte=period.starts_on, day__lt=period.ends_on)
    if count := days.values("day").distinct().count():
        yield (
            f"{count} days of it are being summed again: wait a minute; if they stay, the worker"
            " does not run."
        )


def _disputed(period: AllocationPeriod) -> Iterator[str]:
    within = Alert.objects.filter(raised_at__gte=period.starts_at, raised_at__lt=period.ends_at)
    if count := within.filter(resolved_at=None, kind__in=DISPUTED).count():
        yield f"{count} alerts on evidence of that time are open: resolve them first."


def _unheard(period: AllocationPeriod) -> Iterator[str]:
    """Hubs that have not said since whether the sessions that ran at the end go on."""
    heard = Snapshot.objects.filter(hub=OuterRef("hub"), is_complete=True, time__gte=period.ends_at)
    since = Session.objects.filter(
        Q(begins_at__gte=period.ends_at) | Q(ended_at__gte=period.ends_at), hub=OuterRef("hub")
    )
    waiting = Session.objects.open().filter(ready_at__lt=period.ends_at)
    silent = waiting.filter(~Exists(heard), ~Exists(since)).values("hub__name")
    for name, count in (
        silent.annotate(count=Count("pk")).order_by("hub__name").values_list("hub__name", "count")
    ):
        yield (
            f"The hub {name} has said nothing since the period ended, and {count} of its sessions"
            " are open: wait for its events, or end them."
        )


def _lines(statement: Statement, *, at: datetime) -> Iterator[StatementLine]:
    period = statement.period
    found = truth(start=period.starts_at, end=period.ends_at, at=at)
    corrections = [
        (earlier, key, sums)
        for earlier in Statement.objects.order_by("number")
        for key, sums in due(earlier, at=at).items()
    ]
    groups = {key[0] for key in found} | {key[0] for _, key, _ in corrections}
    named = NamesThen(groups, at=period.ends_at)
    about: dict[str, Any] = {"statement": statement, "about": statement}
    for group, sums in _of_groups(found).items():
        yield StatementLine(**about, kind="group", **named.of((group, None)), **asdict(sums))
    for key, sums in found.items():
        yield StatementLine(**about, kind="person", **named.of(key), **asdict(sums))
    about = {"statement": statement, "kind": "correction"}
    for earlier, key, sums in corrections:
        yield StatementLine(**about, about=earlier, **named.of(key), **asdict(sums))


def _of_groups(found: dict[Key, Sums]) -> dict[int | None, Sums]:
    total: dict[int | None, Sums] = defaultdict(Sums)
    for (group, _), sums in found.items():
        total[group] += sums
    return total
