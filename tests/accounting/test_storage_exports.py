"""A day of storage leaves once, as receivers take it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import time_machine
from django.core.management import CommandError, call_command

from accounting.exports.apel.star import NAMESPACE
from accounting.models import StorageExport
from sessions.models import StorageSample
from tests import factories
from tests.accounting.apel_receiver import messages
from tests.accounting.cast import Cast
from tests.documents import Documents

pytestmark = pytest.mark.django_db

NIGHT = datetime(2026, 5, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def morning() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 5, 3, 8, tzinfo=UTC), tick=False):
        yield


@pytest.fixture(autouse=True)
def members(cast: Cast) -> None:
    long_ago = NIGHT - 900 * DAY
    factories.membership(cast.alice, cast.transients, "pi", valid_from=long_ago)
    factories.membership(cast.bob, cast.galaxies, valid_from=long_ago)
    factories.membership(cast.bob, cast.transients, valid_from=long_ago + DAY)


def sample(used: int, *, at: datetime = NIGHT, **details: Any) -> StorageSample:
    values = {"mount": "/home", "files": 3, "taken_at": at, "used_bytes": used, **details}
    return StorageSample.objects.create(**values)


def run(receiver: str, directory: Path, *options: str) -> str:
    out = StringIO()
    call_command(
        "export_storage",
        receiver,
        "--resource=homes",
        f"--output={directory}",
        *options,
        stdout=out,
    )
    return out.getvalue()


def days(directory: Path) -> dict[str, list[dict[str, Any]]]:
    return {path.name: json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))}


def test_the_files_are_those_of_the_data_folder(
    cast: Cast, tmp_path: Path, documents: Documents
) -> None:
    sample(5, user=cast.bob)
    sample(7, user=cast.bob, at=NIGHT + timedelta(hours=9), soft_bytes=9, limit_bytes=10)
    sample(100, group=cast.transients, mount="/groups/transients", limit_bytes=0)
    assert "Wrote 2 records of 1 days" in run("xdmod", tmp_path / "xdmod")
    assert "Wrote 2 records of 1 days" in run("apel", tmp_path / "apel", "--site=UKI-ROE")
    [path] = (tmp_path / "xdmod").iterdir()
    documents.expect("xdmod/storage.json", path.read_text())
    [text] = messages(tmp_path / "apel")
    documents.expect("apel/storage.xml", text.replace("><", ">\n<"))


def test_a_day_leaves_when_it_is_over_and_once(cast: Cast, tmp_path: Path) -> None:
    sample(5, user=cast.bob)
    sample(6, user=cast.bob, at=NIGHT + DAY)
    sample(7, user=cast.bob, at=NIGHT + 2 * DAY)
    run("xdmod", tmp_path)
    assert list(days(tmp_path)) == ["homes-2026-05-01.json", "homes-2026-05-02.json"]
    sample(8, user=cast.bob, at=NIGHT + timedelta(hours=1))  # too late for its day
    assert "Wrote 0 records of 0 days" in run("xdmod", tmp_path)
    assert days(tmp_path)["homes-2026-05-01.json"][0]["logical_usage"] == 5


def test_who_answers_is_who_did_then(cast: Cast, tmp_path: Path) -> None:
    sample(5, user=cast.bob)
    [before] = _only(tmp_path / "one")
    assert (before["user"], before["pi"]) == ("bob", "galaxies")
    cast.bob.default_group = cast.transients
    cast.bob.save(update_fields=["default_group"])
    StorageExport.objects.all().delete()
    [after] = _only(tmp_path / "two")
    assert after["pi"] == "transients"


def _only(directory: Path) -> list[dict[str, Any]]:
    run("xdmod", directory)
    [records] = days(directory).values()
    return records


def test_what_the_receiver_would_spoil_is_left_out_and_counted(cast: Cast, tmp_path: Path) -> None:
    sample(5, user=cast.charlie)
    sample(5, group=cast.galaxies, mount="/groups/galaxies")
    sample(5, user=cast.bob, files=None)
    sample(5, user=cast.alice, is_stale=True)
    said = run("xdmod", tmp_path)
    assert "left out 1 (files_not_counted); left out 1 (no_group); left out 1 (no_pi)" in said
    assert list(days(tmp_path).values()) == [[]]


def test_a_full_disk_leaves_the_day_for_the_next_run(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample(5, user=cast.bob)
    with monkeypatch.context() as patched:
        patched.setattr("accounting.exports.files.os.fsync", _full)
        with pytest.raises(CommandError, match="No space left"):
            run("xdmod", tmp_path)
    assert not list(tmp_path.iterdir())
    assert "Wrote 1 records of 1 days" in run("xdmod", tmp_path)


def test_a_file_of_a_run_that_died_stays_as_the_receiver_may_have_read_it(
    cast: Cast, tmp_path: Path
) -> None:
    sample(5, user=cast.bob)
    run("xdmod", tmp_path)
    published = days(tmp_path)
    StorageExport.objects.all().delete()
    sample(9, user=cast.bob, at=NIGHT + timedelta(hours=1))
    assert "Wrote 1 records of 1 days" in run("xdmod", tmp_path)
    assert days(tmp_path) == published
    assert StorageExport.objects.get().records == 1


def _full(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_records_of_star_have_what_the_receiver_needs(cast: Cast, tmp_path: Path) -> None:
    sample(5, user=cast.bob, mount="/ho\x01me\n")
    run("apel", tmp_path, "--site=UKI-ROE")
    [text] = messages(tmp_path)
    [record] = ET.fromstring(text)  # noqa: S314 - our own
    found = {element.tag.removeprefix(f"{{{NAMESPACE}}}"): element for element in record}
    identity = found["RecordIdentity"]
    assert {f"{{{NAMESPACE}}}recordId", f"{{{NAMESPACE}}}createTime"} == set(identity.attrib)
    assert found["ResourceCapacityUsed"].text == "5"
    assert found["StartTime"].text == "2026-05-01T00:00:00Z"
    assert found["EndTime"].text == "2026-05-02T00:00:00Z"
    assert found["StorageShare"].text == "/home"
    assert "Wrote 0 records" in run("apel", tmp_path, "--site=UKI-ROE")


@pytest.mark.parametrize(
    ("options", "right"),
    [(["--resource=../x"], "--resource is letters"), ([], "apel needs --site")],
)
def test_bad_options_are_told(tmp_path: Path, options: list[str], right: str) -> None:
    with pytest.raises(CommandError, match=right):
        run("apel", tmp_path, *options)
