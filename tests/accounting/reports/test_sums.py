"""Whatever a report is asked by, its sums are those of plain arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations, product

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting import rollups, usage
from accounting.audit import sums
from accounting.reports import report
from accounting.reports.wish import DIMENSIONS, KINDS, Wish
from accounting.usage import Window
from accounts.models import Group, User
from sessions.adjustments import AdjustmentRefused, adjust
from sessions.attribution import attribute
from sessions.models import Hub, Session
from tests import factories
from tests.accounting.cast import Cast, make_cast
from tests.accounting.rows import add_charge, add_session, mark_stale

pytestmark = pytest.mark.django_db

FIRST = datetime(2026, 4, 29, tzinfo=UTC)
DAY = 86_400
LENGTH = 36 * DAY  # the whole of May, with both of its borders
EVERYTHING = Window(FIRST - timedelta(days=99), FIRST + timedelta(days=999), FIRST)
BYS = [(), *((name,) for name in DIMENSIONS), *permutations(DIMENSIONS, 2)]


@dataclass(frozen=True)
class Work:
    """A session as the plain arithmetic of the test sees it, and what happens to it later."""

    user: int
    group: int
    hub: int
    image: str
    institution: str
    start: int
    length: int | None
    millicores: int
    then: str
    refreshed: bool


SECONDS = st.one_of(st.integers(0, LENGTH), st.integers(0, 36).map(lambda day: day * DAY))
WORK = st.lists(
    st.builds(
        Work,
        user=st.integers(0, 2),
        group=st.integers(0, 2),
        hub=st.integers(0, 1),
        image=st.sampled_from(["base", "lsst", ""]),
        institution=st.sampled_from(["", "ed.ac.uk", "Uni Köln"]),
        start=SECONDS,
        length=st.one_of(st.none(), st.integers(1, 7200), st.integers(1, 3 * DAY)),
        millicores=st.sampled_from([1, 500, 4000]),
        then=st.sampled_from(["", "", "moved", "attributed"]),
        refreshed=st.booleans(),
    ),
    max_size=10,
)
Piece = tuple[dict[str, str], int, int, int]
"""Names, rate (below zero: taken back), first and last second."""


@given(work=WORK, cuts=st.tuples(SECONDS, SECONDS).map(sorted), at=SECONDS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_sums_are_those_of_plain_arithmetic(work: list[Work], cuts: list[int], at: int) -> None:
    with transaction.atomic():
        cast = make_cast()
        hubs = [cast.hub, factories.hub("second")]
        pieces = [piece for one in sorted(work, key=_order) for piece in _book(one, cast, hubs)]
        first, last = cuts
        for start, end in ((first, last), (0, LENGTH)):
            _check(pieces, cast, hubs, (start, end, at))
        rollups.refresh()
        for check in sums.CHECKS:
            check.run()
        _check(pieces, cast, hubs, (first, last, at))
        transaction.set_rollback(True)


def _order(work: Work) -> bool:
    return not work.refreshed


def _check(pieces: list[Piece], cast: Cast, hubs: list[Hub], seconds: tuple[int, int, int]) -> None:
    start, end, at = seconds
    if start == end:
        return
    window = Window(_moment(start), _moment(end), _moment(at))
    cells = Counter[tuple[str, ...]]()
    for names, rate, first, last in pieces:
        length = min(last if last >= 0 else at, end) - max(first, start)
        cells[tuple(names[name] for name in DIMENSIONS)] += rate * max(0, length)
    assert report.total(Wish(), window) == usage.total(window)
    for by in BYS:
        _same(Wish(by), window, cells)
    for by in BYS[:7]:
        _same(Wish(by, groups=(cast.transients.pk, cast.galaxies.pk)), window, cells)
        _same(Wish(by, user=cast.bob.pk), window, cells)
        _same(Wish(by, groups=(cast.transients.pk,), user=cast.bob.pk), window, cells)
        _same(Wish(by, kinds={"image": "lsst", "hub": hubs[1].pk}), window, cells)
        _same(Wish(by, kinds={"institution": "ed.ac.uk"}, user=cast.bob.pk), window, cells)


def _same(wish: Wish, window: Window, cells: Counter[tuple[str, ...]]) -> None:
    """The rows, their total and the rows one by one are what the cells make."""
    expected = Counter[tuple[str, ...]]()
    places = [DIMENSIONS.index(name) for name in wish.by]
    for key, amount in cells.items():
        if _counts(wish, dict(zip(DIMENSIONS, key, strict=True))):
            expected[tuple(key[place] for place in places)] += amount
    expected = Counter({key: amount for key, amount in expected.items() if amount})
    found = report.page(wish, window, limit=999)
    assert _amounts(found.rows) == expected, wish
    assert found.total.millicore_seconds == expected.total()
    assert found.count == len(expected)
    assert _amounts(report.every(wish, window)) == expected


def _counts(wish: Wish, names: dict[str, str]) -> bool:
    if wish.groups is not None:
        groups = Group.objects.filter(pk__in=wish.groups).values_list("name", flat=True)
        if names["group"] not in set(groups):
            return False
    if wish.user is not None and names["user"] != User.objects.get(pk=wish.user).username:
        return False
    wanted = dict(wish.kinds)
    if "hub" in wanted:
        wanted["hub"] = Hub.objects.get(pk=wanted["hub"]).name
    return all(names[name] == value for name, value in wanted.items())


def _amounts(rows: Iterable[report.Row]) -> Counter[tuple[str, ...]]:
    return Counter(
        {tuple(label.name for label in row.labels): row.usage.millicore_seconds for row in rows}
    )


def _book(work: Work, cast: Cast, hubs: list[Hub]) -> list[Piece]:
    """Do the work, and say what it costs whom."""
    users, groups = [None, cast.alice, cast.bob], [None, cast.transients, cast.galaxies]
    user, group = users[work.user], groups[work.group]
    end = None if work.length is None else work.start + work.length
    session = add_session(
        hubs[work.hub], user=user, group=group, started_at=_moment(work.start),
        ended_at=None if end is None else _moment(end), cpu_millicores=work.millicores,
    )  # fmt: skip
    said = {"value": "somebody", "organisation": work.institution}
    session.image, session.affiliation = work.image, said if work.institution else None
    session.save(update_fields=["image", "affiliation"])
    charge = add_charge(session)
    names = {
        "group": group.name if group else "", "user": user.username if user else "",
        "hub": hubs[work.hub].name, "image": work.image, "size": "small",
        "institution": work.institution,
    }  # fmt: skip
    if work.refreshed:
        rollups.refresh()
    if work.then == "attributed" and user and not group:
        attribute(session, user=user, group=cast.galaxies, at=_moment(work.start))
        names["group"] = "galaxies"
    piece = (names, work.millicores, work.start, -1 if end is None else end)
    mark_stale(charge)
    return [piece, *_moved(work, session, cast, piece)]


def _moved(work: Work, session: Session, cast: Cast, piece: Piece) -> list[Piece]:
    """The pair of an adjustment to galaxies, an hour shorter."""
    names, rate, start, end = piece
    user = session.user
    if work.then != "moved" or end < 0 or user is None or session.group is None:
        return []
    shorter = max(start, end - 3600)
    if not user.memberships.filter(group=cast.galaxies).exists():
        factories.membership(user, cast.galaxies)
    try:
        adjust(
            session, author=cast.alice, reason="for galaxies", at=_moment(LENGTH * 2),
            group=cast.galaxies, ended_at=_moment(shorter),
        )  # fmt: skip
    except AdjustmentRefused:
        return []
    return [(names, -rate, start, end), (names | {"group": "galaxies"}, rate, start, shorter)]


def _moment(seconds: int) -> datetime:
    return FIRST + timedelta(seconds=seconds)


def test_a_page_has_the_total_of_all_rows_and_both_orders(cast: Cast) -> None:
    for number in range(1, 6):
        session = add_session(
            cast.hub, user=factories.user(f"person-{number}00"), group=cast.transients,
            started_at=FIRST, ended_at=FIRST + timedelta(hours=number),
        )  # fmt: skip
        add_charge(session)
    wish = Wish(("user",))
    assert [len(_page(wish, offset=offset)) for offset in (0, 2, 4, 6)] == [2, 2, 1, 0]
    assert report.page(wish, EVERYTHING, offset=6).total.core_hours == 15
    assert _page(wish) == ["person-500", "person-400"]
    assert _page(wish, order="core_hours") == ["person-100", "person-200"]
    assert _page(wish, order="-user") == ["person-500", "person-400"]


def _page(wish: Wish, *, offset: int = 0, order: str = "-core_hours") -> list[str]:
    found = report.page(wish, EVERYTHING, offset=offset, limit=2, order=order)
    return [row.labels[0].name for row in found.rows]


def test_what_is_wide_is_known(cast: Cast) -> None:
    pairs = [by for by in product(DIMENSIONS, repeat=2) if by[0] != by[1]]
    assert {by for by in pairs if Wish(by).is_wide} == {by for by in pairs if "user" in by}
    assert not any(Wish(by, groups=(1,)).is_wide for by in pairs)
    assert [name for name in KINDS if Wish(("user",), kinds={name: "x"}).is_wide] == list(KINDS)
