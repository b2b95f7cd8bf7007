"""The whole ledger as a file: complete, exact, and without names where nobody asked for them."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from sessions.models import Session
from tests.accounting.cast import Cast
from tests.accounting.rows import EPOCH, add_charge, add_session
from tests.accounting.test_export import limited_file_size

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger(cast: Cast) -> None:
    """A session of Bob that was taken back, one of Alice that runs, one that nobody pays for."""
    bob = add_session(
        cast.hub,
        user=cast.bob,
        group=cast.transients,
        started_at=EPOCH,
        ended_at=EPOCH + timedelta(hours=1),
        cpu_millicores=500,
        gpus=1,
    )
    add_charge(bob)
    add_charge(bob, sign=-1, origin="adjustment")
    for user, group in ((cast.alice, cast.galaxies), (None, None)):
        add_charge(add_session(cast.hub, user=user, group=group, started_at=EPOCH, ended_at=None))
    Session.objects.filter(pk=bob.pk).update(image='=1+"a,\nb"')


def dumped(path: Path, *options: str) -> list[dict[str, str]]:
    out = StringIO()
    call_command("dump_ledger", f"--output={path}", *options, stdout=out)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert f"Wrote {len(rows)} charges" in out.getvalue()
    return sorted(rows, key=lambda row: int(row["charge"]))


@pytest.mark.usefixtures("ledger")
def test_every_charge_is_there_with_exact_sums(tmp_path: Path) -> None:
    rows = dumped(tmp_path / "new" / "ledger.csv", "--names")
    assert [row["user"] for row in rows] == ["bob", "bob", "alice", ""]
    assert [row["group"] for row in rows] == ["transients", "transients", "galaxies", ""]
    assert [row["millicore_seconds"] for row in rows] == ["1800000", "-1800000", "", ""]
    assert [row["gpu_seconds"] for row in rows] == ["3600", "-3600", "", ""]
    assert rows[0]["started_at"] == "2026-05-01T00:00:00Z"
    assert rows[0]["ended_at"] == "2026-05-01T01:00:00Z"
    assert rows[0]["image"] == '=1+"a,\nb"'
    assert rows[2]["ended_at"] == ""


@pytest.mark.usefixtures("ledger")
def test_people_are_pseudonyms_that_hold_within_a_file(tmp_path: Path) -> None:
    first, second = (dumped(tmp_path / name) for name in ("first.csv", "second.csv"))
    assert first[0]["user"] == first[1]["user"] != first[2]["user"]
    assert first[3]["user"] == ""
    assert first[0]["user"] != second[0]["user"]
    assert "bob" not in (tmp_path / "first.csv").read_text()


@pytest.mark.usefixtures("ledger")
def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    dumped(tmp_path / "ledger.csv")
    before = (tmp_path / "ledger.csv").read_bytes()
    with limited_file_size(100), pytest.raises(CommandError, match="cannot be written"):
        dumped(tmp_path / "ledger.csv")
    assert (tmp_path / "ledger.csv").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "ledger.csv"]
