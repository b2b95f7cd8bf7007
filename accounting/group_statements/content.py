"""What a group's statement says: of a closed period what was stated, of any other time provisional.

The lines of people come from the frozen statement, or from the charges by which the next one will
be made; the parts by month, image and size from the roll-ups of reports. Both agree to the last
digit until something is corrected after the closing; then `changed` says by how much.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from accounting import usage
from accounting.models import Statement, StatementLine
from accounting.reports import report
from accounting.reports.wish import Wish
from accounting.statements.content import NOTHING, Sums, truth_of_group
from accounting.statements.naming import NamesThen
from accounting.usage import Window
from accounts.models import Group, Membership, User
from quotas.models import AllocationPeriod, ComputeQuota
from quotas.vocabulary import Usage, millicore_seconds

UNKNOWN_PEOPLE = "unknown people"
UNKNOWN_KIND = "not told by the hub"


@dataclass(frozen=True, slots=True)
class Closed:
    """The statement that froze the numbers."""

    number: int
    hash: str
    previous_hash: str


@dataclass(frozen=True, slots=True)
class Line:
    """A person, or a correction of what was stated about the period `about`."""

    name: str
    title: str
    role: str
    sums: Sums
    about: str = ""

    @property
    def role_word(self) -> str:
        return dict(Membership.Role.choices).get(self.role, "")


@dataclass(frozen=True, slots=True)
class Part:
    """What was used in a month, with an image, or in a size."""

    name: str
    title: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class GroupStatement:
    """The half-open dates [starts_on, ends_on) in UTC; `closed` None: provisional, as of `at`.

    `limit` in millicore-seconds is the group's quota of the period, None without one or outside
    of periods. `people` is None where names are to be left out.
    """

    group: str
    group_title: str
    title: str
    starts_on: date
    ends_on: date
    at: datetime
    closed: Closed | None
    limit: int | None
    total: Sums
    people_count: int
    people: list[Line] | None
    corrections: list[Line]
    months: list[Part]
    images: list[Part]
    sizes: list[Part]

    @property
    def last_day(self) -> date:
        return self.ends_on - timedelta(days=1)

    @property
    def changed(self) -> Usage:
        """By how much the ledger of now differs from what was stated."""
        now = sum((part.usage for part in self.months), Usage())
        return Usage(
            now.millicore_seconds - self.total.millicore_seconds,
            now.mib_seconds - self.total.mib_seconds,
            now.gpu_seconds - self.total.gpu_seconds,
        )

    @property
    def file_name(self) -> str:
        """Without an ending, such as `transients-2026-01-01-2026-03-31-provisional`."""
        kind = f"statement-{self.closed.number}" if self.closed else "provisional"
        return f"{self.group}-{self.starts_on}-{self.last_day}-{kind}"


def of_window(
    group: Group, window: Window, period: AllocationPeriod | None, *, with_names: bool = True
) -> GroupStatement:
    """The frozen numbers if the window is a closed period, else those of `window.at`."""
    is_whole = period is not None and (period.starts_at, period.ends_at) == (
        window.start, window.end,
    )  # fmt: skip
    statement = Statement.objects.filter(period=period).first() if is_whole else None
    if statement is not None:
        return _closed(group, statement, with_names=with_names)
    return _provisional(group, window, period, with_names=with_names)


def _closed(group: Group, statement: Statement, *, with_names: bool) -> GroupStatement:
    of_group = statement.lines.select_related("user", "about").filter(group=group)
    rows = list(of_group.order_by("about", "user__username", "pk"))
    kinds: dict[str, list[StatementLine]] = {kind: [] for kind in StatementLine.Kind}
    for row in rows:
        kinds[row.kind].append(row)
    people = _most_first(map(_line, kinds["person"]))
    window = Window(statement.period.starts_at, statement.period.ends_at, statement.closed_at)
    own = kinds["group"][0] if kinds["group"] else None
    return GroupStatement(
        group=own.group_name if own else group.name,
        group_title=own.group_title if own else group.title,
        title=statement.title,
        starts_on=statement.starts_on,
        ends_on=statement.ends_on,
        at=statement.closed_at,
        closed=Closed(statement.number, statement.hash, statement.previous_hash),
        limit=_limit(group, statement.period, at=statement.closed_at),
        total=_sums(own) if own else NOTHING,
        people_count=len(people),
        people=people if with_names else None,
        corrections=_corrections(kinds["correction"], with_names=with_names),
        months=_months(group, window),
        images=_parts(group, window, "image"),
        sizes=_parts(group, window, "size"),
    )


def _provisional(
    group: Group, window: Window, period: AllocationPeriod | None, *, with_names: bool
) -> GroupStatement:
    found = truth_of_group(group.pk, start=window.start, end=window.end, at=window.at)
    then = NamesThen({group.pk}, at=min(window.end, window.at))
    users = User.objects.in_bulk([key[1] for key in found if key[1] is not None])
    people = _most_first(
        Line(*_names(users.get(key[1] or 0)), then.role(key), sums) for key, sums in found.items()
    )
    first, last = window.days[0], window.days[-1]
    return GroupStatement(
        group=group.name,
        group_title=group.title,
        title=_title(period, first, last),
        starts_on=first,
        ends_on=last + timedelta(days=1),
        at=window.at,
        closed=None,
        limit=_limit(group, period, at=window.at) if period else None,
        total=sum(found.values(), NOTHING),
        people_count=len(people),
        people=people if with_names else None,
        corrections=[],
        months=_months(group, window),
        images=_parts(group, window, "image"),
        sizes=_parts(group, window, "size"),
    )


def _title(period: AllocationPeriod | None, first: date, last: date) -> str:
    """The period's, with the dates where they are others."""
    dates = f"{first} to {last}"
    if period is None:
        return dates
    is_whole = (first, last + timedelta(days=1)) == (period.starts_on, period.ends_on)
    return period.title if is_whole else f"{period.title}, {dates}"


def _months(group: Group, window: Window) -> list[Part]:
    """Every month of the window that has begun, also those without usage."""
    last = min(window.days[-1], window.at.astimezone(UTC).date())
    sums = {f"{day:%Y-%m}": Usage() for day in window.days if day <= last}
    for row in usage.by_day(window, group=group):
        sums[f"{row.day:%Y-%m}"] = sums.get(f"{row.day:%Y-%m}", Usage()) + row.usage
    return [Part(month, month, used) for month, used in sums.items()]


def _parts(group: Group, window: Window, dimension: str) -> list[Part]:
    """Most use first."""
    wish = Wish(by=(dimension,), groups=(group.pk,))
    return [
        Part(row.labels[0].name, row.labels[0].title or UNKNOWN_KIND, row.usage)
        for row in report.every(wish, window)
    ]


def _limit(group: Group, period: AllocationPeriod, *, at: datetime) -> int | None:
    quotas = ComputeQuota.objects.filter(group=group, period=period).with_limit(at=at)
    quota = quotas.first()
    return millicore_seconds(quota.limit) if quota else None


def _corrections(rows: list[StatementLine], *, with_names: bool) -> list[Line]:
    if with_names:
        return [_line(row) for row in rows]
    sums: dict[str, Sums] = {}
    for row in rows:
        sums[row.about.title] = sums.get(row.about.title, NOTHING) + _sums(row)
    return [Line("", "", "", one, about=about) for about, one in sums.items() if one != NOTHING]


def _line(row: StatementLine) -> Line:
    return Line(*_names(row.user), row.role, _sums(row), about=row.about.title)


def _sums(row: StatementLine) -> Sums:
    return Sums(row.millicore_seconds, row.mib_seconds, row.gpu_seconds, row.sessions)


def _names(user: User | None) -> tuple[str, str]:
    return (user.username, user.title) if user else ("", UNKNOWN_PEOPLE)


def _most_first(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (-line.sums.millicore_seconds, line.name))
