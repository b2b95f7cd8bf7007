"""A replay as pages, files and commands tell it: with names, per group and per day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from accounting.outlook_notices.telling import responsible_by_group
from accounting.replay.history import months_before, pieces
from accounts.models import Group, User
from quotas.replay import Lost, Piece, Policy, Replay, Warned, replay
from quotas.vocabulary import core_hours

DAY_SECONDS = 86_400
COLUMNS = ("what", "time", "group", "user", "session", "reason", "core_hours_not_used")


@dataclass(frozen=True, slots=True)
class GroupLine:
    """A group in the replay; amounts are millicore-seconds.

    `responsible` are those who look after it now, if somebody would have been warned.
    """

    name: str
    title: str
    used: int
    not_used: int
    refused: int
    stopped: int
    warned: list[tuple[int, datetime]]
    responsible: list[str]


@dataclass(frozen=True, slots=True)
class Event:
    """A launch that would have been refused, or a session that would have been stopped."""

    what: str
    at: datetime
    group: str
    user: str
    session: int
    reason: str
    not_used: int


@dataclass(frozen=True)
class Report:
    """What the policy would have done from `start` to `end`."""

    start: datetime
    end: datetime
    found: Replay
    groups: list[GroupLine]
    names: dict[int, str]
    people: dict[int, str]

    @property
    def used(self) -> int:
        return self.found.used.total()

    @property
    def not_used(self) -> int:
        return sum(line.not_used for line in self.groups)

    @property
    def would_be_used(self) -> int:
        return self.used - self.not_used

    @property
    def refused(self) -> int:
        return sum(line.refused for line in self.groups)

    @property
    def stopped(self) -> int:
        return sum(line.stopped for line in self.groups)

    @property
    def warnings(self) -> int:
        return len(self.found.warned)

    def events(self) -> Iterator[Event]:
        """Refusals and stops in order of time."""
        return (self._event(one) for one in self.found.lost)

    def cells(self) -> Iterator[list[str]]:
        """Warnings, refusals and stops, as CSV has them, in the order of `COLUMNS`."""
        people = {line.name: " ".join(line.responsible) for line in self.groups}
        for one in self.found.warned:
            name = self.names[one.group]
            yield ["warned", _time(one.at), name, people[name], "", f"{one.percent} %", ""]
        for event in self.events():
            used = str(core_hours(event.not_used))
            at = f"{event.at:%Y-%m-%dT%H:%M:%SZ}"
            subject = [event.group, event.user, str(event.session), event.reason]
            yield [event.what, at, *subject, used]

    def not_used_by_day(self) -> Counter[date]:
        """What would not have been used on each UTC day."""
        days: Counter[date] = Counter()
        for piece in (piece for one in self.found.lost for piece in one.pieces):
            for day, seconds in _days(piece):
                days[day] += piece.rate * seconds
        return days

    def _event(self, one: Lost) -> Event:
        return Event(
            what="stopped" if one.reason is None else "refused",
            at=_moment(one.at),
            group=self.names[one.group],
            user=self.people.get(one.person or 0, ""),
            session=one.session,
            reason=one.reason or "the quota is used up",
            not_used=one.amount,
        )


def report(group: Group | None, policy: Policy, *, months: int, at: datetime) -> Report:
    """The policy on the group, or on each group, in the last so many times 30 days."""
    start = months_before(months, at=at)
    history = pieces(group, start=start, at=at)
    found = replay(history, policy, start=int(start.timestamp()), end=int(at.timestamp()))
    groups = Group.objects.in_bulk(list(found.used))
    people = {one.person for one in found.lost if one.person is not None}
    names = User.objects.filter(pk__in=people).values_list("pk", "username")
    return Report(
        start=start,
        end=at,
        found=found,
        groups=_lines(found, groups, at),
        names={number: one.name for number, one in groups.items()},
        people=dict(names),
    )


def _lines(found: Replay, groups: dict[int, Group], at: datetime) -> list[GroupLine]:
    """Who would have used least of what was used, first."""
    not_used, warned = found.not_used(), _warned(found.warned)
    responsible = responsible_by_group(list(warned), at=at)
    refused = Counter(one.group for one in found.refused)
    stopped = Counter(one.group for one in found.stopped)
    lines = [
        GroupLine(
            name=one.name,
            title=one.title,
            used=found.used[number],
            not_used=not_used[number],
            refused=refused[number],
            stopped=stopped[number],
            warned=warned.get(number, []),
            responsible=[person.username for person in responsible[number]],
        )
        for number, one in groups.items()
    ]
    return sorted(lines, key=lambda line: (-line.not_used, -line.used, line.name))


def _warned(rows: list[Warned]) -> dict[int, list[tuple[int, datetime]]]:
    found: dict[int, list[tuple[int, datetime]]] = defaultdict(list)
    for row in rows:
        found[row.group].append((row.percent, _moment(row.at)))
    return found


def _days(piece: Piece) -> Iterator[tuple[date, int]]:
    """The UTC days of a piece, with the seconds on each."""
    start = piece.start
    while start < piece.end:
        end = min(piece.end, (start // DAY_SECONDS + 1) * DAY_SECONDS)
        yield _moment(start).date(), end - start
        start = end


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _time(seconds: int) -> str:
    return f"{_moment(seconds):%Y-%m-%dT%H:%M:%SZ}"
