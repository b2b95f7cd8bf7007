"""What the pages of storage show: what is stored now, over time, and until when it fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.paginator import Page

from accounting import stored_owners
from accounting.stored_owners import Owner
from accounting.usage import Window
from accounts.models import Group, User
from lsp_portal.lib.display import QuotaBar, byte_size, storage_quota_bar
from lsp_portal.lib.paging import page_number, page_of
from quotas.growth import DAYS, FEWEST, Growth
from sessions.models import StorageSample
from sessions.storage import areas
from sessions.storage.areas import Area
from sessions.storage.history import Series, growth, series

GIB = 2**30
ROWS = 50
WORDS = {
    "name": "Name",
    "used": "Used",
    "percent": "Of the quota",
    "files": "Files",
    "taken": "Measured",
}
LARGEST_FIRST = {"used", "percent", "files"}
CSV_COLUMNS = (
    "mount", "taken_at", "used_bytes", "files", "soft_bytes", "hard_bytes", "source", "stale",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AreaView:
    """What counts against one quota now; `drift` and `outlook` are sentences."""

    label: str
    area: Area
    bar: QuotaBar
    drift: str
    outlook: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An owner's storage: now, by mount, and as a chart of the window."""

    views: list[AreaView]
    samples: list[StorageSample]
    figure: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Column:
    """A head of the table, with the address that sorts by it."""

    word: str
    order: str
    sorted: str


@dataclass(frozen=True, slots=True)
class Owners:
    """A page of everybody who stores something."""

    lines: Page[Owner]
    columns: list[Column]


def of_home(user: User, window: Window) -> Stored:
    """The person's own home."""
    found = areas.of_home(user, at=window.at)
    return _stored(user, [(area, f"Home in {area.mount}") for area in found], window)


def of_group(group: Group, window: Window) -> Stored:
    """The areas of a group, which count together."""
    area = areas.of_group(group, at=window.at)
    return _stored(group, [(area, "All files of the group")] if area.samples else [], window)


def history_cells(owner: User | Group, window: Window) -> Iterator[list[str]]:
    """Every sample in the window, in the order of `CSV_COLUMNS`."""
    samples = StorageSample.objects.filter(
        **{"user" if isinstance(owner, User) else "group": owner},
        taken_at__gte=window.start,
        taken_at__lt=window.end,
    )
    for row in samples.order_by("mount", "taken_at").iterator():
        amounts = (row.used_bytes, row.files, row.soft_bytes, row.limit_bytes)
        taken_at = row.taken_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        written = ("" if amount is None else str(amount) for amount in amounts)
        yield [row.mount, taken_at, *written, row.source, str(row.is_stale).lower()]


def owners(*, search: str, order: str, page: str, at: datetime) -> Owners:
    """The page of the table of all owners that the address asks for."""
    order = stored_owners.known_order(order)
    count, found = stored_owners.owners(
        search=search, order=order, page=page_number(page), rows=ROWS, at=at
    )
    columns = [_column(name, order) for name in WORDS]
    return Owners(page_of(found, page, of=count, rows=ROWS), columns)


def drift(area: Area) -> str:
    """How the limits that the file server enforces differ from the quota; empty if they do not."""
    if area.wanted is None or not area.samples:
        return ""
    unknown = [sample.mount for sample in area.samples if sample.limit_bytes is None]
    if unknown:
        return f"What the file server enforces on {', '.join(unknown)} is not known."
    enforced = area.enforced
    if enforced is None:
        return f"The file server does not enforce the quota of {byte_size(area.wanted)}."
    if enforced == area.wanted:
        return ""
    word = "more" if enforced > area.wanted else "less"
    return (
        f"The file server enforces {byte_size(enforced)}, {byte_size(abs(enforced - area.wanted))} "
        f"{word} than the quota of {byte_size(area.wanted)}."
    )


def outlook(area: Area, pace: Growth | None) -> str:
    """When the quota is reached, or why that cannot be said."""
    limit = area.limit
    if limit is None:
        return "Without a quota nothing can become full."
    if area.used >= limit:
        return "The quota is used up."
    if pace is None:
        return f"A forecast needs measurements of {FEWEST} of the last {DAYS} days."
    full_at = pace.full_at(limit)
    if full_at is None:
        return f"At the pace of the last {DAYS} days it does not become full within five years."
    a_day = byte_size(round(pace.per_day))
    return (
        f"At the pace of the last {DAYS} days, {a_day} a day, the quota is reached on about "
        f"{full_at.astimezone(UTC):%Y-%m-%d}."
    )


def _stored(owner: User | Group, found: list[tuple[Area, str]], window: Window) -> Stored:
    samples = [sample for area, _ in found for sample in area.samples]
    mounts = [sample.mount for sample in samples]
    end = min(window.end, max(window.at, window.start) + timedelta(seconds=1))
    return Stored(
        views=[_view(area, label, window.at) for area, label in found],
        samples=samples,
        figure=_figure(series(owner, mounts, start=window.start, end=end)),
    )


def _view(area: Area, label: str, at: datetime) -> AreaView:
    bar = storage_quota_bar(area.used, area.limit)
    return AreaView(label, area, bar, drift(area), outlook(area, growth(area, at=at)))


def _figure(found: Series) -> dict[str, Any] | None:
    """A line for each mount, in GiB; None without any sample."""
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers" if len(readings) < 2 else "lines",
            "name": mount,
            "x": [row.taken_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M") for row in readings],
            "y": [round(row.used / GIB, 3) for row in readings],
            "hovertemplate": "%{x}: %{y:,.3f} GiB<extra>%{fullData.name}</extra>",
        }
        for mount, readings in found.items()
        if readings
    ]
    layout = {
        "xaxis": {"type": "date"},
        "yaxis": {"title": {"text": "GiB"}, "rangemode": "tozero"},
        "showlegend": True,
    }
    return {"data": traces, "layout": layout} if traces else None


def _column(name: str, order: str) -> Column:
    """Sorted another time it is sorted the other way round; amounts begin with the largest."""
    if order.removeprefix("-") != name:
        return Column(WORDS[name], f"-{name}" if name in LARGEST_FIRST else name, "")
    is_down = order.startswith("-")
    return Column(
        WORDS[name], name if is_down else f"-{name}", "descending" if is_down else "ascending"
    )
