"""When mails are due, for any day and any moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from accounting.sharing import schedules
from accounting.sharing.models import month_after

DAYS = st.dates(date(2020, 1, 1), date(2040, 1, 1))


@given(day=st.integers(1, 28), today=DAYS, hour=st.integers(0, 23))
def test_the_next_mail_is_the_first_that_is_not_due(day: int, today: date, hour: int) -> None:
    now = datetime.combine(today, time(hour), UTC)
    month = schedules.next_month(day, at=now)
    assert schedules.due(month, day) > now
    before = (month - timedelta(days=1)).replace(day=1)
    assert schedules.due(before, day) <= now
    assert month_after(before) == month
