"""What tags say: a property test of the grammar and its order, and the tags that platforms use."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions.registry.tags import Kind, Tag, newest, parse

KNOWN = [
    ("recommended", Kind.ALIAS, "Recommended"),
    ("latest_weekly", Kind.ALIAS, "Latest weekly"),
    ("r27_0_0", Kind.RELEASE, "Release 27.0.0"),
    ("r29_2_0_rsp71", Kind.RELEASE, "Release 29.2.0 (build 71)"),
    ("v1.2.3", Kind.RELEASE, "Release 1.2.3"),
    ("r27_0_0_rc1", Kind.CANDIDATE, "Release 27.0.0, candidate 1"),
    ("1.2.3-rc2", Kind.CANDIDATE, "Release 1.2.3, candidate 2"),
    ("w_2026_47", Kind.WEEKLY, "Weekly 2026, week 47"),
    ("w_2021_22_c0019.001", Kind.WEEKLY, "Weekly 2021, week 22 (cycle 19.001)"),
    ("d_2026_11_20", Kind.DAILY, "Daily 2026-11-20"),
    ("exp_w_2026_47_fits", Kind.EXPERIMENTAL, "exp_w_2026_47_fits"),
    ("d_2026_02_30", Kind.OTHER, "d_2026_02_30"),
    ("w_2026_54", Kind.OTHER, "w_2026_54"),
    ("sha-1234567", Kind.OTHER, "sha-1234567"),
    ("w_2026_४७", Kind.OTHER, "w_2026_४७"),
]

# A busy machine is no reason to fail.
patiently = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

days = st.dates(date(1000, 1, 1))
numbers = st.integers(0, 10**6)
rebuilds = st.one_of(st.none(), numbers)


def suffix(rebuild: int | None) -> str:
    return "" if rebuild is None else f"_rsp{rebuild}"


@pytest.mark.parametrize(("text", "kind", "title"), KNOWN)
def test_a_tag_says_what_it_is(text: str, kind: Kind, title: str) -> None:
    tag = parse(text)
    assert (tag.kind, tag.title, tag.text) == (kind, title, text)


def test_a_site_has_its_own_aliases() -> None:
    assert parse("stable").kind is Kind.OTHER
    assert parse("stable", ["stable"]).kind is Kind.ALIAS


@patiently
@given(days, days, rebuilds, rebuilds)
def test_dailies_are_in_the_order_of_days_and_then_of_builds(
    one: date, other: date, first: int | None, second: int | None
) -> None:
    texts = [f"d_{day:%Y_%m_%d}{suffix(n)}" for day, n in ((one, first), (other, second))]
    earlier, later = (parse(text) for text in texts)
    wanted = (one, -1 if first is None else first) < (other, -1 if second is None else second)
    assert (earlier < later) == wanted


versions = st.tuples(numbers, numbers, numbers)


@patiently
@given(versions, versions)
def test_releases_are_in_the_order_of_their_numbers(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    first, second = (parse("r{}_{}_{}".format(*v)) for v in (one, other))
    assert (first < second) == (one < other)
    assert first.numbers[:3] == one
    assert parse("v{}.{}.{}".format(*one)).numbers == first.numbers


@patiently
@given(st.integers(1000, 9999), st.integers(1, 53))
def test_weeks_are_read_with_one_digit_and_with_two(year: int, week: int) -> None:
    assert parse(f"w_{year}_{week}").numbers == parse(f"w_{year}_{week:02}").numbers
    assert parse(f"w_{year}_{week:02}").numbers[:2] == (year, week)


@patiently
@given(st.text(max_size=130))
def test_any_text_is_some_tag(text: str) -> None:
    tag = parse(text)
    assert tag.text == text
    assert tag.title or not text


@patiently
@given(
    st.lists(st.builds(lambda y, w: f"w_{y}_{w}", st.integers(2000, 2030), st.integers(1, 53))),
    st.integers(0, 5),
)
def test_the_newest_are_newer_than_all_that_are_left_out(texts: list[str], count: int) -> None:
    tags = {parse(text) for text in texts}
    kept = newest(tags, {Kind.WEEKLY: count})
    assert len(kept) == min(count, len(tags))
    assert kept == sorted(kept, reverse=True)
    left_out = tags - set(kept)
    assert all(tag <= kept[-1] for tag in left_out if kept)


def test_kinds_follow_each_other_behind_the_aliases_that_are_named() -> None:
    texts = [
        "exp_a",
        "d_2026_11_20",
        "r27_0_0",
        "w_2026_47",
        "latest",
        "recommended",
        "odd",
        "r26_0_0",
    ]
    counts = {Kind.RELEASE: 1, Kind.WEEKLY: 1, Kind.DAILY: 1}
    kept = [tag.text for tag in newest(map(parse, texts), counts, ["recommended"])]
    assert kept == ["recommended", "r27_0_0", "w_2026_47", "d_2026_11_20"]


def test_tags_of_the_same_numbers_are_still_in_one_order() -> None:
    assert parse("w_2026_4") != parse("w_2026_04")
    assert isinstance(max(parse("w_2026_4"), parse("w_2026_04")), Tag)
