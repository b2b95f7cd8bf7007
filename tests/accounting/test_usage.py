"""Every sum is exact and the same from roll-ups, stale days and charges."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting import rollups, usage
from accounting.group_usage import Breakdown, of_group
from accounting.models import GroupDay, UserDay
from accounting.usage import Window
from accounts.models import Group, User
from quotas.vocabulary import Usage
from sessions.models import Charge, StaleDay
from sessions.usage import session_usage, used
from tests.accounting.cast import Cast, make_cast
from tests.accounting.rows import EPOCH, add_charge, add_session, mark_stale

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NOW = EPOCH + 20 * DAY


def _window(start: datetime = EPOCH, end: datetime = NOW, at: datetime = NOW) -> Window:
    return Window(start, end, at)


def test_a_session_counts_its_seconds_times_its_resources(cast: Cast) -> None:
    session = add_session(
        cast.hub,
        user=cast.bob,
        group=cast.transients,
        started_at=EPOCH + timedelta(hours=1),
        ended_at=EPOCH + timedelta(hours=3, seconds=1),
        cpu_millicores=500,
        memory_mib=1024,
        gpus=2,
    )
    add_charge(session)
    expected = Usage(7201 * 500, 7201 * 1024, 7201 * 2)
    assert used(group=cast.transients, start=EPOCH, end=NOW, at=NOW) == expected
    assert session_usage([session.number], at=NOW) == {session.number: expected}
    assert usage.total(_window(), group=cast.transients) == expected
    assert usage.total(_window(), user=cast.bob) == expected
    assert usage.total(_window(), user=cast.alice) == Usage()


def test_a_running_session_counts_up_to_now(cast: Cast) -> None:
    session = add_session(
        cast.hub, user=cast.bob, group=cast.transients, started_at=NOW - DAY, ended_at=None
    )
    add_charge(session)
    for seconds in (0, 1, 3600):
        at = NOW + timedelta(seconds=seconds)
        window = Window(EPOCH, NOW + 30 * DAY, at)
        expected = (86400 + seconds) * 1000
        assert usage.total(window).millicore_seconds == expected
        assert usage.total(window, group=cast.transients).millicore_seconds == expected
        assert sum(row.usage.millicore_seconds for row in usage.by_day(window)) == expected


def test_a_session_that_starts_in_the_future_of_the_reader_counts_nothing(cast: Cast) -> None:
    """A hub's clock may be five minutes ahead."""
    add_charge(
        add_session(
            cast.hub,
            user=cast.bob,
            group=cast.transients,
            started_at=NOW + timedelta(minutes=4),
            ended_at=None,
        )
    )
    assert usage.total(Window(EPOCH, NOW + DAY, NOW)) == Usage()


def test_days_are_cut_at_midnight_utc(cast: Cast) -> None:
    session = add_session(
        cast.hub,
        user=cast.bob,
        group=cast.transients,
        started_at=datetime(2025, 12, 30, 23, 59, 59, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, 0, 0, 1, tzinfo=UTC),
        cpu_millicores=1,
    )
    add_charge(session)
    window = Window(datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), NOW)
    expected = {
        date(2025, 12, 30): 1,
        date(2025, 12, 31): 86400,
        date(2026, 1, 1): 86400,
        date(2026, 1, 2): 1,
    }
    assert _by_day(window) == expected
    rollups.refresh()
    assert _by_day(window) == expected


def test_a_session_of_no_length_leaves_no_trace(cast: Cast) -> None:
    session = add_session(
        cast.hub, user=cast.bob, group=cast.transients, started_at=EPOCH, ended_at=EPOCH
    )
    add_charge(session)
    StaleDay.objects.create(day=EPOCH.date(), group=cast.transients)
    rollups.refresh()
    assert not UserDay.objects.exists()
    assert not GroupDay.objects.exists()
    assert usage.by_user(_window()) == []


def test_what_nobody_pays_for_is_listed_last(cast: Cast) -> None:
    for user, group in ((cast.bob, None), (None, None), (cast.bob, cast.galaxies)):
        add_charge(
            add_session(
                cast.hub, user=user, group=group, started_at=EPOCH, ended_at=EPOCH + timedelta(1)
            )
        )
    for _ in range(2):
        groups = usage.by_group(_window())
        assert [row.group and row.group.name for row in groups] == ["galaxies", None]
        people = usage.by_user(_window())
        assert [row.user and row.user.title for row in people] == ["Bob Example", None]
        both = usage.by_user_and_group(_window())
        assert [(row.user and row.user.name, row.group and row.group.name) for row in both] == [
            ("bob", "galaxies"),
            ("bob", None),
            (None, None),
        ]
        rollups.refresh()


def test_a_correction_takes_back_what_was_booked(cast: Cast) -> None:
    session = add_session(
        cast.hub, user=cast.bob, group=cast.transients, started_at=EPOCH, ended_at=EPOCH + DAY
    )
    add_charge(session)
    rollups.refresh()
    add_charge(session, sign=-1, origin="adjustment")
    assert usage.by_group(_window()) == []
    rollups.refresh()
    assert usage.by_group(_window()) == []
    assert not UserDay.objects.exists()
    assert not GroupDay.objects.exists()


def test_a_long_session_is_found_from_any_window_within_it(cast: Cast) -> None:
    session = add_session(
        cast.hub, user=cast.bob, group=cast.transients, started_at=EPOCH, ended_at=EPOCH + 15 * DAY
    )
    add_charge(session)
    noon = EPOCH + timedelta(days=9, hours=12)
    window = Window(noon, noon + timedelta(seconds=10), NOW)
    assert usage.total(window, group=cast.transients).millicore_seconds == 10_000
    assert used(group=cast.transients, start=window.start, end=window.end, at=NOW) == usage.total(
        window
    )
    rollups.refresh()
    assert usage.total(window).millicore_seconds == 10_000


def test_the_days_of_a_window_have_no_gaps() -> None:
    window = Window(EPOCH + timedelta(hours=5), EPOCH + 2 * DAY, NOW)
    assert window.days == [EPOCH.date(), EPOCH.date() + DAY]


def test_a_change_during_a_refresh_is_summed_by_the_next(cast: Cast) -> None:
    session = add_session(
        cast.hub, user=cast.bob, group=cast.transients, started_at=EPOCH, ended_at=EPOCH + DAY
    )
    charge = add_charge(session)
    assert rollups.refresh() == 1
    assert rollups.refresh() == 0
    charge.ended_at = EPOCH + timedelta(hours=1)
    charge.save(update_fields=["ended_at"])
    mark_stale(charge)
    assert rollups.refresh() == 1
    assert GroupDay.objects.get().millicore_seconds == 3_600_000


def test_rebuild_gives_the_same_rows_as_refresh(cast: Cast) -> None:
    for hours in range(1, 60, 7):
        add_charge(
            add_session(
                cast.hub,
                user=cast.alice if hours % 2 else None,
                group=cast.transients if hours % 3 else None,
                started_at=EPOCH + timedelta(hours=hours),
                ended_at=EPOCH + timedelta(hours=2.5 * hours),
            )
        )
    rollups.refresh()
    refreshed = _rows()
    assert rollups.rebuild() == rollups.Rebuilt(
        group_days=GroupDay.objects.count(), user_days=UserDay.objects.count()
    )
    assert _rows() == refreshed
    assert not StaleDay.objects.exists()


@dataclass(frozen=True)
class Booking:
    """A charge as the plain arithmetic of the test sees it."""

    user: int
    group: int
    start: int
    length: int | None
    millicores: int
    sign: int
    refreshed: bool


SECONDS = st.integers(0, 6 * 86400)
BOOKINGS = st.lists(
    st.builds(
        Booking,
        user=st.integers(0, 2),
        group=st.integers(0, 2),
        start=st.one_of(SECONDS, st.integers(0, 6).map(lambda days: 86400 * days)),
        length=st.one_of(st.none(), st.just(0), st.integers(1, 7200), st.integers(1, 400_000)),
        millicores=st.sampled_from([1, 500, 4000]),
        sign=st.sampled_from([1, 1, 1, -1]),
        refreshed=st.booleans(),
    ),
    max_size=12,
)


@given(bookings=BOOKINGS, cuts=st.lists(SECONDS, min_size=2, max_size=5), at=SECONDS)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_sums_are_those_of_plain_arithmetic_in_any_split(
    bookings: list[Booking], cuts: list[int], at: int
) -> None:
    with transaction.atomic():
        cast = make_cast()
        _book(cast, bookings)
        cuts = sorted(set(cuts))
        for start, end in itertools.pairwise(cuts):
            _check(cast, bookings, start, end, at)
        if len(cuts) > 1:
            _check(cast, bookings, cuts[0], cuts[-1], at)
            _check_split(cast, cuts, at)
        transaction.set_rollback(True)


def _book(cast: Cast, bookings: list[Booking]) -> None:
    users, groups = _people(cast)
    for booking in sorted(bookings, key=lambda booking: not booking.refreshed):
        start = _moment(booking.start)
        end = None if booking.length is None else _moment(booking.start + booking.length)
        session = add_session(
            cast.hub,
            user=users[booking.user],
            group=groups[booking.group],
            started_at=start,
            ended_at=end,
            cpu_millicores=booking.millicores,
            memory_mib=3,
        )
        origin = Charge.Origin.NOTEBOOK if booking.sign == 1 else Charge.Origin.ADJUSTMENT
        add_charge(session, sign=booking.sign, origin=origin)
        if booking.refreshed:
            rollups.refresh()


def _check(cast: Cast, bookings: list[Booking], start: int, end: int, at: int) -> None:
    window = Window(_moment(start), _moment(end), _moment(at))
    users, groups = _people(cast)
    cells: Counter[tuple[date, User | None, Group | None]] = Counter()
    for booking in bookings:
        for day, amount in _by_hand(booking, start, end, at):
            cells[day, users[booking.user], groups[booking.group]] += amount
    assert usage.total(window).millicore_seconds == cells.total()
    assert _by_day(window) == _sum_by(cells, 0)
    assert _by_name(usage.by_user(window), "user") == _names(_sum_by(cells, 1))
    assert _by_name(usage.by_group(window), "group") == _names(_sum_by(cells, 2))
    for group in (cast.transients, cast.galaxies):
        ours = Counter({key: amount for key, amount in cells.items() if key[2] == group})
        members = usage.by_day_and_user(window, group=group)
        assert sum(row.usage.millicore_seconds for row in members) == ours.total()
        assert usage.total(window, group=group).millicore_seconds == ours.total()
        _check_group(of_group(group, window, largest=1), ours)
        assert used(group=group, start=window.start, end=window.end, at=window.at) == usage.total(
            window, group=group
        )
    bob = Counter({key: amount for key, amount in cells.items() if key[1] == cast.bob})
    assert _by_name(usage.by_group(window, user=cast.bob), "group") == _names(_sum_by(bob, 2))


def _check_group(found: Breakdown, ours: Counter[tuple[date, User | None, Group | None]]) -> None:
    """Everybody's sum is there, and the days of the first and of the others make it up."""
    assert found.total.millicore_seconds == ours.total()
    people = [row for row in found.members if row.usage.millicore_seconds]
    assert _by_name(people, "user") == _names(_sum_by(ours, 1))
    days: Counter[date] = Counter()
    for row in found.largest:
        days[row.day] += row.usage.millicore_seconds
    for rest in found.others:
        days[rest.day] += rest.usage.millicore_seconds
    assert {day: amount for day, amount in days.items() if amount} == _sum_by(ours, 0)
    assert {row.user for row in found.largest} <= {row.user for row in people[:1]}


def _check_split(cast: Cast, cuts: list[int], at: int) -> None:
    pieces = [
        usage.total(Window(_moment(start), _moment(end), _moment(at)), group=cast.galaxies)
        for start, end in itertools.pairwise(cuts)
    ]
    whole = Window(_moment(cuts[0]), _moment(cuts[-1]), _moment(at))
    assert sum(pieces, Usage()) == usage.total(whole, group=cast.galaxies)


def _by_hand(booking: Booking, start: int, end: int, at: int) -> Iterable[tuple[date, int]]:
    last = at if booking.length is None else booking.start + booking.length
    for number in range(-1, 15):
        low = max(booking.start, start, 86400 * number)
        high = min(last, end, 86400 * (number + 1))
        if high > low:
            yield _moment(86400 * number).date(), booking.sign * booking.millicores * (high - low)


def _people(cast: Cast) -> tuple[list[User | None], list[Group | None]]:
    return [None, cast.alice, cast.bob], [None, cast.transients, cast.galaxies]


def _moment(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def _by_day(window: Window) -> dict[date, int]:
    return {row.day: row.usage.millicore_seconds for row in usage.by_day(window)}


def _sum_by(
    cells: Counter[tuple[date, User | None, Group | None]], place: int
) -> dict[object, int]:
    sums: Counter[object] = Counter()
    for key, amount in cells.items():
        sums[key[place]] += amount
    return {key: amount for key, amount in sums.items() if amount}


def _names(sums: dict[object, int]) -> dict[str | None, int]:
    return {None if key is None else str(key): amount for key, amount in sums.items()}


def _by_name(rows: Iterable[Any], kind: str) -> dict[str | None, int]:
    return {
        None if getattr(row, kind) is None else getattr(row, kind).name: row.usage.millicore_seconds
        for row in rows
    }


def _rows() -> list[list[tuple[object, ...]]]:
    sums = ("millicore_seconds", "mib_seconds", "gpu_seconds")
    return [
        sorted(GroupDay.objects.values_list("day", "group", *sums), key=str),
        sorted(UserDay.objects.values_list("day", "group", "user", *sums), key=str),
    ]
