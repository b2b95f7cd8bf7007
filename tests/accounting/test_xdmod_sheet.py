"""The reconciliation sheet adds up: exported, changed, waiting and running make the ledger."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting.exports import sheet
from accounting.exports.manifest import core_seconds
from accounts.models import Group
from sessions.models import Charge, Hub
from sessions.usage import used
from tests.accounting.cast import Cast, make_cast
from tests.accounting.rows import add_charge, add_session
from tests.accounting.test_export import manifest, run_export

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LATER = datetime(2026, 9, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path) -> str:
    out = StringIO()
    call_command("reconcile_xdmod", "--hub=demo", f"--output={path}", stdout=out)
    return out.getvalue()


def session(cast: Cast, start: datetime, hours: float | None, **changes: Any) -> Charge:
    ended = None if hours is None else start + hours * HOUR
    details: dict[str, Any] = {"user": cast.bob, "group": cast.transients, **changes}
    return add_charge(add_session(cast.hub, started_at=start, ended_at=ended, **details))


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.django_db
@time_machine.travel(NOW, tick=False)
def test_a_story_in_numbers(cast: Cast, tmp_path: Path) -> None:
    march = datetime(2026, 3, 31, 23, tzinfo=UTC)
    published = session(cast, march, 2, cpu_millicores=500)
    run_export(tmp_path)
    session(cast, march, 1, cpu_millicores=2000)
    session(cast, NOW - HOUR, None, group=cast.galaxies)
    session(cast, march + 2 * HOUR, 1, group=None)
    add_charge(published.session, origin="dask")
    Charge.objects.filter(pk=published.pk).update(group=cast.galaxies)
    said = write(tmp_path / "sheet.csv")
    assert "3600.000 core-seconds exported (+ 3600.000 of rounding" in said
    assert [list(row.values()) for row in read(tmp_path / "sheet.csv")] == [
        # month, group, exported, rounding, counted, changed, waiting, running, workers, ledger
        ["2026-03", "galaxies", *numbers(0, 0, 0, 1800, 0, 0, 0, 1800)],
        ["2026-03", "transients", *numbers(1800, 1800, 3600, -1800, 7200, 0, 1800, 9000)],
        ["2026-04", "(nobody)", *numbers(0, 0, 0, 0, 3600, 0, 0, 3600)],
        ["2026-04", "galaxies", *numbers(0, 0, 0, 1800, 0, 3600, 0, 5400)],
        ["2026-04", "transients", *numbers(1800, 1800, 3600, -1800, 0, 0, 1800, 1800)],
        ["total", "", *numbers(3600, 3600, 7200, 0, 10800, 3600, 3600, 21600)],
    ]


def numbers(*seconds: int) -> list[str]:
    return [f"{second}.000" for second in seconds]


moments = st.sampled_from(
    [
        datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 3, 29, 0, 30, tzinfo=UTC),  # clocks go forward in Europe at 01:00
        datetime(2025, 10, 26, 0, 30, tzinfo=UTC),  # and back
        datetime(2025, 12, 31, 12, tzinfo=UTC),
        datetime(2026, 4, 30, 23, tzinfo=UTC),
    ]
)
histories = st.lists(
    st.tuples(
        moments,
        st.none() | st.integers(0, 100 * 24 * 3600),
        st.sampled_from(["transients", "galaxies", None]),
        st.sampled_from([1, 499, 1000, 1001, 4000]),
        st.sampled_from(["as it was", "moved", "corrected", "longer"]),
    ),
    max_size=8,
)


@pytest.mark.django_db
@given(history=histories)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@time_machine.travel(LATER, tick=False)
def test_every_row_is_the_ledger(history: list[Any], tmp_path_factory: Any) -> None:
    directory = tmp_path_factory.mktemp("exported")
    with undone():
        cast = make_cast()
        charges = [told(cast, *piece) for piece in history]
        run_export(directory)
        exported = manifest(directory)["core_seconds"]
        for charge, piece in zip(charges, history, strict=True):
            changed(cast, charge, piece[4])
        found = list(sheet.rows(Hub.objects.get(), at=LATER))
        total = sheet.NOTHING
        for row in found:
            total = sheet.total(total, row)
            assert row.ledger == by_the_formula(row)
        assert core_seconds(total.exported) == exported["exact"]
        assert core_seconds(total.rounding) == exported["rounding"]
        assert total.ledger == everything()


def told(
    cast: Cast,
    start: datetime,
    seconds: int | None,
    group: str | None,
    millicores: int,
    _: str,
) -> Charge:
    payer = getattr(cast, group) if group else None
    hours = None if seconds is None else seconds / 3600
    return session(cast, start, hours, group=payer, cpu_millicores=millicores)


def changed(cast: Cast, charge: Charge, how: str) -> None:
    """What may become of a session after its export."""
    charges = Charge.objects.filter(pk=charge.pk)
    if how == "moved":
        charges.update(group=cast.galaxies)
    if how == "longer" and charge.ended_at:
        charges.update(ended_at=charge.ended_at + HOUR)
    if how == "corrected" and charge.ended_at:
        add_charge(charge.session, sign=-1, origin="adjustment")


def by_the_formula(row: sheet.Row) -> int:
    """The ledger of the row's group in its month, as admission and pages count it."""
    year, month = map(int, row.month.split("-"))
    start = datetime(year, month, 1, tzinfo=UTC)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    if row.group == sheet.NOBODY:
        return unpaid(start, end)
    group = Group.objects.get(name=row.group)
    return used(group=group, start=start, end=end, at=LATER).millicore_seconds


def unpaid(start: datetime, end: datetime) -> int:
    return sum(
        charge.sign
        * charge.cpu_millicores
        * max(
            0,
            int(
                (min(charge.ended_at or LATER, end) - max(charge.started_at, start)).total_seconds()
            ),
        )
        for charge in Charge.objects.filter(group=None)
    )


def everything() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(sign * cpu_millicores * extract(epoch FROM"
            " coalesce(ended_at, '2026-09-01Z') - started_at)::bigint), 0)"
            " FROM hub_sessions_charge"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db
def test_what_cannot_be_done_is_said(cast: Cast, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no hub nowhere"):
        call_command("reconcile_xdmod", "--hub=nowhere", f"--output={tmp_path}/sheet.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be written"):
        write(tmp_path / "file" / "sheet.csv")
