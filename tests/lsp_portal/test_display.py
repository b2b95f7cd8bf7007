"""How amounts, times and states are written for people."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from lsp_portal.lib import display

HOUR = display.MILLICORE_SECONDS_PER_CORE_HOUR
GIB = 1024**3


@pytest.mark.parametrize(
    ("millicore_seconds", "text"),
    [
        (None, "—"),
        (0, "0.00"),
        (1, "<0.01"),
        (-1, ">-0.01"),
        (HOUR // 200, "0.01"),
        (HOUR, "1.00"),
        (-HOUR // 2, "-0.50"),
        (1234 * HOUR + HOUR // 2, "1,234.50"),
        (10**24, "277,777,777,777,777,777.78"),
    ],
)
def test_core_hours_are_rounded_from_exact_amounts(
    millicore_seconds: int | None, text: str
) -> None:
    assert display.core_hours(millicore_seconds) == text


@pytest.mark.parametrize(
    ("millicores", "text"), [(None, "—"), (500, "0.5"), (2000, "2"), (10_000, "10"), (1250, "1.25")]
)
def test_cores_have_no_needless_zeros(millicores: int | None, text: str) -> None:
    assert display.cores(millicores) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "—"),
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1.0 KiB"),
        (3 * GIB // 2, "1.5 GiB"),
        (-2 * GIB, "-2.0 GiB"),
        (5000 * 1024**5, "5,000.0 PiB"),
    ],
)
def test_bytes_have_binary_units(count: int | None, text: str) -> None:
    assert display.byte_size(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(None, "—"), (512, "512 MiB"), (2048, "2 GiB"), (1536, "1.5 GiB")]
)
def test_memory_is_given_in_mebibytes(count: int | None, text: str) -> None:
    assert display.mebibytes(count) == text


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (None, "—"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min 00 s"),
        (3907, "1 h 05 min 07 s"),
        (-3600, "-1 h 00 min 00 s"),
        (timedelta(days=50, seconds=1), "1,200 h 00 min 01 s"),
    ],
)
def test_a_length_of_time_is_exact_to_the_second(length: timedelta | int | None, text: str) -> None:
    assert display.duration(length) == text


def test_a_moment_is_local_and_carries_its_utc_time() -> None:
    at = datetime(2026, 5, 1, 8, 0, 20, tzinfo=UTC)

    shown = display.moment(at, ZoneInfo("Europe/Belgrade"))

    assert 'datetime="2026-05-01T08:00:20Z" title="2026-05-01 08:00:20 UTC"' in shown
    assert '>2026-05-01 10:00:20 <span class="zone">CEST</span><' in shown
    assert display.moment(None) == "—"


def test_a_day_is_written_the_iso_way() -> None:
    assert display.day(date(2026, 5, 1)) == '<time datetime="2026-05-01">2026-05-01</time>'
    assert display.day(None) == "—"


def test_an_unknown_state_has_no_tone() -> None:
    assert display.session_tone("running") == "ok"
    assert display.session_tone("dreaming") == "none"


def test_a_quota_says_what_is_left_and_what_is_held() -> None:
    bar = display.compute_quota_bar(620 * HOUR, 1000 * HOUR, held=5 * HOUR)

    assert (bar.used, bar.limit, bar.unit) == ("620.00", "1,000.00", "core-hours")
    assert (bar.state, bar.percent) == ("ok", 62)
    assert bar.words == "375.00 core-hours left; 5.00 core-hours held by running sessions"


@pytest.mark.parametrize(
    ("used", "limit", "state", "percent", "words"),
    [
        (799, 1000, "ok", 79, "201 B left"),
        (800, 1000, "warn", 80, "200 B left"),
        (999, 1000, "warn", 99, "1 B left"),
        (1000, 1000, "over", 100, "Nothing left"),
        (1080, 1000, "over", 108, "80 B over the limit"),
        (0, 0, "over", 0, "Nothing left"),
        (5, 0, "over", 100, "5 B over the limit"),
        (-10, 100, "ok", -10, "110 B left"),
        (7, None, "none", 0, "No limit"),
    ],
)
def test_a_quota_bar_changes_its_state_at_the_thresholds(
    used: int, limit: int | None, state: str, percent: int, words: str
) -> None:
    bar = display.storage_quota_bar(used, limit)

    assert (bar.state, bar.percent, bar.words) == (state, percent, words)
    assert 0 <= bar.filled <= 100


def test_exact_core_hours_carry_all_six_digits() -> None:
    shown = display.exact_core_hours(7_207_000)

    assert shown == '<data value="2.001944" title="2.001944 core-hours">2.00</data>'
    assert display.exact_core_hours(None) == "—"
