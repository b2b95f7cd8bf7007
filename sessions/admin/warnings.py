"""What administrators are told when they take from a group that is at work."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.http import HttpRequest

from accounts.models import Group
from lsp_portal.lib import clock, display
from quotas.models import ComputeQuota
from sessions.delays import wrap_up
from sessions.enforcement import Standing, standings
from sessions.models import Session


class WarnsOfGroups:
    """For a `ModelAdmin` of groups or of their quotas: what follows is said with the change."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        entry: LogEntry = super().log_addition(request, obj, message)  # type: ignore[misc]
        warn(request, obj, at=clock.now())
        return entry

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        """Called by Django once all of a form is saved, and for each row changed in a list."""
        entry: LogEntry = super().log_change(request, obj, message)  # type: ignore[misc]
        warn(request, obj, at=clock.now())
        return entry


def warn(request: HttpRequest, changed: Model, *, at: datetime) -> None:
    """Say what the change means for what the group has used and runs now."""
    group = changed.group if isinstance(changed, ComputeQuota) else changed
    if isinstance(group, Group):
        for sentence in _sentences(group, at=at):
            messages.warning(request, sentence)


def _sentences(group: Group, *, at: datetime) -> list[str]:
    running = Session.objects.filter(group=group).holding(at=at)
    found = [
        _about_quota(one, running.hold())
        for one in standings(at=at, group=group)
        if one.level.used + running.hold() > one.level.limit
    ]
    count = running.count()
    if count and group.is_closed(at=at):
        sessions = "1 session" if count == 1 else f"{count} sessions"
        found.append(
            f"{group.title} is closed, and {sessions} of it are pending or running: they go on, "
            "charged to the group, until their people stop them. Nothing new is charged to it."
        )
    return found


def _about_quota(one: Standing, held: int) -> str:
    quota, level = one.quota, one.level
    numbers = [display.core_hours(amount) for amount in (level.limit, level.used, held)]
    minutes = int(wrap_up().total_seconds()) // 60
    follows = {
        ComputeQuota.Mode.NOMINAL: "It is nominal: use is counted on, and nothing is refused.",
        ComputeQuota.Mode.SOFT: "New sessions are refused from now on; what runs goes on.",
        ComputeQuota.Mode.HARD: "New sessions are refused from now on; once it is used up, what "
        f"runs is stopped after a notice of {minutes} minutes.",
    }
    return (
        "{group} may use {0} core-hours in {period}, has used {1}, and its pending and running "
        "sessions hold {2}. {follows}"
    ).format(
        *numbers, group=quota.group.title, period=quota.period,
        follows=follows[ComputeQuota.Mode(quota.mode)],
    )  # fmt: skip
