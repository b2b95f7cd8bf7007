"""Letting go of what its time is over for: in short transactions, which can be cut off anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.sessions.models import Session as BrowserSession
from django.db import connection, transaction
from django.db.models import QuerySet
from oauth2_provider.models import clear_expired

from lsp_portal.lib import advisory
from lsp_portal.privacy import snapshots
from lsp_portal.privacy.rules import RULES, Rule
from sessions.models import Hub

BATCH = 5000
LOCK = "retention"

Done = tuple[str, int]
"""What went, and how many rows of it."""


class RetentionRunsError(Exception):
    """Another process does it at this moment."""

    code = "retention_runs"


def apply_retention(*, at: datetime, progress: Callable[[str, int], None] | None = None) -> int:
    """Let go of everything that is too old; the number of rows. `progress` is told after batches.

    What was done stays done when it is cut off. Raises RetentionRunsError.
    """
    with advisory.try_held(LOCK) as is_mine:
        if not is_mine:
            raise RetentionRunsError
        total = 0
        for what, rows in _everything(at):
            total += rows
            if progress and rows:
                progress(what, rows)
        return total


def preview(*, at: datetime) -> list[Done]:
    """How many rows of each kind would go; counted one by one, so rows can count twice."""
    found = [(rule.what, _count(rule, at)) for rule in RULES if _days(rule.setting)]
    if days := _days("KEEP_SNAPSHOTS_DAYS"):
        before = at - timedelta(days=days)
        lists = sum(snapshots.count(hub, before=before) for hub in _hubs())
        found.append(("lists of servers", lists))
    found.append(("ended sign-ins of browsers", _ended_browsers(at).count()))
    return found


def _everything(at: datetime) -> Iterator[Done]:
    for rule in RULES:
        if _days(rule.setting):
            yield from ((rule.what, rows) for rows in _apply(rule, at))
    if days := _days("KEEP_SNAPSHOTS_DAYS"):
        for hub in _hubs():
            while rows := snapshots.prune(hub, before=at - timedelta(days=days)):
                yield "lists of servers", rows
    yield "ended sign-ins of browsers", _ended_browsers(at).delete()[0]
    clear_expired()


def _apply(rule: Rule, at: datetime) -> Iterator[int]:
    """The sizes of the batches; each goes on behind the last row of the one before."""
    last = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_select(rule), _moments(rule, at) | {"last": last, "batch": BATCH})
            keys = [key for (key,) in cursor.fetchall()]
            cursor.execute(_write(rule), [keys])
        if not keys:
            return
        yield len(keys)
        last = keys[-1]


def _select(rule: Rule) -> str:
    return (
        f"SELECT t.id FROM {rule.table} t WHERE {rule.where} AND t.id > %(last)s"
        " ORDER BY t.id LIMIT %(batch)s FOR UPDATE SKIP LOCKED"
    )


def _write(rule: Rule) -> str:
    if rule.change:
        return f"UPDATE {rule.table} t SET {rule.change} WHERE t.id = ANY (%s)"
    return f"DELETE FROM {rule.table} t WHERE t.id = ANY (%s)"


def _count(rule: Rule, at: datetime) -> int:
    with connection.cursor() as cursor:
        statement = f"SELECT count(*) FROM {rule.table} t WHERE {rule.where}"
        cursor.execute(statement, _moments(rule, at))
        return int(cursor.fetchone()[0])


def _moments(rule: Rule, at: datetime) -> dict[str, datetime | int]:
    return {"at": at, "before": at - timedelta(days=_days(rule.setting))}


def _days(setting: str) -> int:
    return int(getattr(settings, setting))


def _hubs() -> list[int]:
    return list(Hub.objects.order_by("pk").values_list("pk", flat=True))


def _ended_browsers(at: datetime) -> QuerySet[BrowserSession]:
    return BrowserSession.objects.filter(expire_date__lt=at)
