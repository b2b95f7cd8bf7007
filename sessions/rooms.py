"""How much room the cluster has for each size, as it was seen last. The cluster is not asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, Self

from django.conf import settings
from django.db.models import Q

from lsp_portal.lib.display import duration, plain_moment
from sessions.models import Hub, Session, Size, SizeRoom

SOURCE = "Nodes and pods of all namespaces"  # the name of the look among the cluster's watches
STALE_AFTER = timedelta(minutes=3)  # six looks


class Titled(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Rooms:
    """Servers that would find a place, by the name of their size, as seen at `seen_at`.

    `is_told`: whether the portal looks at all; `at` is now.
    """

    at: datetime
    is_told: bool = False
    free: Mapping[str, int] = field(default_factory=dict)
    seen_at: datetime | None = None

    @classmethod
    def of(cls, hub: Hub, *, at: datetime) -> Self:
        """The room for servers that the portal starts for the hub."""
        return cls.now(at=at) if hub.mode == Hub.Mode.DRIVE else cls(at)

    @classmethod
    def now(cls, *, at: datetime) -> Self:
        if not settings.KUBERNETES_CAPACITY:
            return cls(at)
        found = list(SizeRoom.objects.values_list("size__name", "free", "seen_at"))
        free = {name: number for name, number, _ in found}
        return cls(at, True, free, max((seen for *_, seen in found), default=None))

    @property
    def is_stale(self) -> bool:
        """Whether it was seen too long ago, or never."""
        return self.seen_at is None or self.at - self.seen_at > STALE_AFTER

    def of_size(self, name: str) -> int | None:
        """How many would find a place; None where that is not known."""
        return None if not self.is_told or self.is_stale else self.free.get(name)

    def with_room(self, sizes: Sequence[Titled], *, but: str) -> list[str]:
        """The titles of the other sizes that have room."""
        return [size.title for size in sizes if size.name != but and self.of_size(size.name)]

    def words(self, name: str, others: Sequence[Titled]) -> str:
        """For the person who chooses, beside the size; empty where nothing is known."""
        number = self.of_size(name)
        if number is None:
            return ""
        if number:
            return f"{number} free now"
        fitting = self.with_room(others, but=name)
        return f"no room now; {_listed(fitting)} would start at once" if fitting else "no room now"

    def age_words(self) -> str:
        """How old this is, or why nothing is known; empty where the portal does not look."""
        if not self.is_told:
            return ""
        if self.seen_at is None:
            return "How much room the cluster has is not known yet."
        if self.is_stale:
            return (
                "How much room there is now is not known: the cluster was last seen at "
                f"{plain_moment(self.seen_at)}."
            )
        age = duration(self.at - self.seen_at)
        return f"Free room as the cluster was seen {age} ago; somebody may be faster."


def titles_with_room(session: Session, *, at: datetime) -> list[str] | None:
    """Sizes that would start at once instead of that of the session; None where nobody knows."""
    rooms = Rooms.of(session.hub, at=at)
    if not rooms.is_told or rooms.is_stale:
        return None
    is_open = Q(allowed_groups=None) | Q(allowed_groups=session.group_id)
    sizes = Size.objects.filter(is_open, hubs=session.hub_id).distinct()
    return rooms.with_room(list(sizes), but=session.size)


def _listed(titles: Sequence[str]) -> str:
    """`Tiny, Small and Medium`."""
    *first, last = titles
    return f"{', '.join(first)} and {last}" if first else last
