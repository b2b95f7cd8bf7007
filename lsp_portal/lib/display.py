"""How amounts, times and states are written for people; templates use these as filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString

MILLICORE_SECONDS_PER_CORE_HOUR = 3_600_000
NEARLY_USED_PERCENT = 80
NOTHING = "—"

Tone = Literal["ok", "warn", "bad", "info", "none"]

SESSION_TONES: dict[str, Tone] = {
    "pending": "info",
    "ready": "ok",
    "running": "ok",
    "stopping": "warn",
    "ended": "none",
    "failed": "bad",
}


def _decimal(value: Decimal, places: int) -> str:
    """The value with grouped thousands; what would round to nothing says so."""
    step = Decimal(1).scaleb(-places)
    rounded = value.quantize(step, rounding=ROUND_HALF_UP)
    if rounded == 0 and value != 0:
        return f"<{step}" if value > 0 else f">-{step}"
    return f"{rounded + 0:,}"


def core_hours(millicore_seconds: int | None) -> str:
    """Core-hours with two digits from exact millicore-seconds: `1,234.50`; a dash for no value."""
    if millicore_seconds is None:
        return NOTHING
    return _decimal(Decimal(millicore_seconds) / MILLICORE_SECONDS_PER_CORE_HOUR, 2)


def exact_core_hours(millicore_seconds: int | None) -> str | SafeString:
    """The same with all six digits, as files have them, as tool tip and as machine-read value."""
    if millicore_seconds is None:
        return NOTHING
    exact = Decimal(millicore_seconds) / MILLICORE_SECONDS_PER_CORE_HOUR
    return format_html(
        '<data value="{0}" title="{0} core-hours">{1}</data>',
        exact.quantize(Decimal("0.000001"), rounding=ROUND_HALF_EVEN),
        core_hours(millicore_seconds),
    )


def about_core_hours(millicore_seconds: float) -> str:
    """Core-hours of an estimate, which has no digits to show after the point: `1,235`."""
    return _decimal(Decimal(millicore_seconds) / MILLICORE_SECONDS_PER_CORE_HOUR, 0)


def cores(millicores: int | None) -> str:
    """CPU cores from millicores without needless zeros: `0.5`, `2`."""
    if millicores is None:
        return NOTHING
    return f"{(Decimal(millicores) / 1000).normalize():,f}"


def byte_size(count: int | None) -> str:
    """Bytes in binary units with one digit: `512 B`, `1.5 GiB`; a dash for no value."""
    if count is None:
        return NOTHING
    size, unit = Decimal(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if abs(size) < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:,.0f} {unit}" if unit == "B" else f"{_decimal(size, 1)} {unit}"


def mebibytes(count: int | None) -> str:
    """Memory from MiB: `512 MiB`, `1.5 GiB`, without needless zeros."""
    if count is None:
        return NOTHING
    return byte_size(count * 1024**2).replace(".0 ", " ")


def duration(length: timedelta | int | None) -> str:
    """A length of time (seconds or timedelta), exact to the second: `1 h 05 min 07 s`."""
    if length is None:
        return NOTHING
    seconds = int(length.total_seconds()) if isinstance(length, timedelta) else length
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{sign}{hours:,} h {minutes:02} min {rest:02} s"
    return f"{sign}{minutes} min {rest:02} s" if minutes else f"{sign}{rest} s"


def moment(at: datetime | None, zone: tzinfo = UTC) -> str | SafeString:
    """A moment in a time zone to the second, with its UTC time as tool tip; a dash for none."""
    if at is None:
        return NOTHING
    local, utc = at.astimezone(zone), at.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{} <span class="zone">{}</span></time>',
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        local.strftime("%Y-%m-%d %H:%M:%S"),
        local.tzname() or "",
    )


def plain_moment(at: datetime) -> str:
    """A moment in a sentence, in the site's time zone: `14 March 2026, 15:04 UTC`."""
    local = at.astimezone(ZoneInfo(settings.SITE_TIME_ZONE))
    return f"{local.day} {local:%B %Y, %H:%M} {local.tzname()}"


def day(value: date | None) -> str | SafeString:
    """A calendar day, written the ISO way; a dash for none."""
    if value is None:
        return NOTHING
    return format_html('<time datetime="{0}">{0}</time>', value.strftime("%Y-%m-%d"))


def long_day(value: date) -> str:
    """A calendar day in a sentence: `14 March 2026`; of a moment, its UTC day."""
    at = value.astimezone(UTC) if isinstance(value, datetime) else value
    return f"{at.day} {at:%B %Y}"


def session_tone(state: str) -> Tone:
    """The tone of a session's state for `components/state_badge.html`."""
    return SESSION_TONES.get(state, "none")


@dataclass(frozen=True)
class QuotaBar:
    """What `components/quota_bar.html` shows.

    `state` is `ok`, `warn` (nearly used), `over` (nothing left) or `none` (no limit); `percent` is
    rounded down and may exceed 100.
    """

    used: str
    limit: str
    unit: str
    percent: int
    state: Literal["ok", "warn", "over", "none"]
    words: str

    @property
    def filled(self) -> int:
        """The percentage that the bar can draw."""
        return min(max(self.percent, 0), 100)


def compute_quota_bar(used: int, limit: int | None, *, held: int = 0) -> QuotaBar:
    """The bar of a compute quota, all in millicore-seconds; None is no limit."""
    return _quota_bar(used, limit, held, write=core_hours, unit="core-hours")


def storage_quota_bar(used: int, limit: int | None) -> QuotaBar:
    """The bar of a storage quota, in bytes; None is no limit."""
    return _quota_bar(used, limit, 0, write=byte_size, unit="")


def _quota_bar(
    used: int, limit: int | None, held: int, *, write: Callable[[int], str], unit: str
) -> QuotaBar:
    if limit is None:
        return QuotaBar(write(used), "", unit, 0, "none", "No limit")
    taken = used + held
    percent = 100 * taken // limit if limit else 100 * bool(taken)
    words = _left_words(limit - taken, write=write, unit=unit)
    if held:
        words += f"; {_amount(write(held), unit)} held by running sessions"
    return QuotaBar(write(used), write(limit), unit, percent, _state(taken, limit), words)


def _state(taken: int, limit: int) -> Literal["ok", "warn", "over"]:
    if taken >= limit:
        return "over"
    return "warn" if 100 * taken >= NEARLY_USED_PERCENT * limit else "ok"


def _left_words(left: int, *, write: Callable[[int], str], unit: str) -> str:
    if left > 0:
        return f"{_amount(write(left), unit)} left"
    if left == 0:
        return "Nothing left"
    return f"{_amount(write(-left), unit)} over the limit"


def _amount(text: str, unit: str) -> str:
    return f"{text} {unit}".rstrip()
