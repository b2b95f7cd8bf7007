"""The clock of the portal."""

from datetime import UTC, datetime

import time_machine

from lsp_portal.lib import clock


@time_machine.travel(datetime(2026, 5, 1, 8, 0, 20, 999_999, tzinfo=UTC), tick=False)
def test_the_clock_shows_whole_utc_seconds() -> None:
    assert clock.now() == datetime(2026, 5, 1, 8, 0, 20, tzinfo=UTC)
