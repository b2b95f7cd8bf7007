"""What people see of their own sessions and usage."""

from __future__ import annotations

from dataclasses import dataclass

from accounting import usage
from accounting.pages import session_list
from accounting.pages.session_list import Row
from accounting.usage import GroupUsage, Window
from accounts.models import User
from lsp_portal.lib.display import QuotaBar, storage_quota_bar
from quotas.vocabulary import Usage
from sessions.dask.showing import beside_sessions
from sessions.draining import drains_of
from sessions.driving.showing import newest_steps
from sessions.models import NodeDrain, Session, StorageSample
from sessions.storage.areas import of_home

MOST_GROUPS = 24
"""More groups than nearly anybody works for."""

MOST_AT_ONCE = 50
"""More servers than anybody has at once."""


@dataclass(frozen=True, slots=True)
class MyUsage:
    """One's usage in a window, by the group that paid, and one's files now.

    The groups that paid most, and the sum of the `other_groups`: the parts add up.
    """

    groups: list[GroupUsage]
    others: Usage
    other_groups: int
    total: Usage
    storage: list[tuple[StorageSample, QuotaBar]]


def my_usage(user: User, window: Window) -> MyUsage:
    """The usage of one person by group, and the newest measurement of each mount."""
    groups = usage.by_group(window, user=user)
    groups.sort(key=lambda row: -row.usage.millicore_seconds)
    rest = groups[MOST_GROUPS:]
    return MyUsage(
        groups=groups[:MOST_GROUPS],
        others=sum((row.usage for row in rest), Usage()),
        other_groups=len(rest),
        total=sum((row.usage for row in groups), Usage()),
        storage=[
            (area.samples[0], storage_quota_bar(area.used, area.limit))
            for area in of_home(user, at=window.at)
        ],
    )


@dataclass(frozen=True, slots=True)
class MyServer:
    """A server of one's own; while it is on its way with what was told of it last, and with the
    drain of its node, if that is being emptied.
    """

    row: Row
    newest: str = ""
    drain: NodeDrain | None = None


def my_servers(user: User, window: Window) -> list[MyServer]:
    """The person's pending and running servers, newest first."""
    holding = Session.objects.filter(user=user).holding(at=window.at)
    newest = holding.newest_first().select_related("hub", "user", "group")
    newest = newest.prefetch_related(beside_sessions())
    found = session_list.rows(list(newest[:MOST_AT_ONCE]), window)
    told = newest_steps(row.session for row in found if row.state != Session.State.READY)
    drains = drains_of([row.session for row in found], at=window.at)
    return [
        MyServer(row, told.get(row.session.number, ""), drains.get(row.session.pk)) for row in found
    ]
