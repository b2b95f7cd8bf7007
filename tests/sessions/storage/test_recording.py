"""Each sample is kept once, as it was told first; what cannot be is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lsp_portal.lib import clock
from sessions.models import StorageSample
from sessions.storage.recording import Sample, record
from tests.cast import Cast
from tests.programs import Program

pytestmark = pytest.mark.django_db

NIGHT = datetime(2026, 5, 1, 2, tzinfo=UTC)
URL = "storage-samples"


def sample(**changes: Any) -> Sample:
    values = {"kind": "user", "name": "bob", "mount": "/home", "taken_at": NIGHT, "used_bytes": 5}
    return Sample(**{**values, **changes})


def told(**changes: Any) -> dict[str, Any]:
    values = {
        "kind": "user",
        "name": "bob",
        "mount": "/home",
        "taken_at": "2026-05-01T02:00:00Z",
        "used_bytes": 5,
    }
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def test_owners_are_known_by_name_and_by_number(cast: Cast) -> None:
    recorded = record(
        [
            sample(soft_bytes=9, hard_bytes=10, files=3, source="xfs"),
            sample(name=None, number=cast.alice.uid),
            sample(kind="group", name=None, number=cast.galaxies.gid, mount="/groups"),
        ],
        at=clock.now(),
    )
    assert recorded.accepted == 3
    assert set(StorageSample.objects.values_list("user__username", "group__name")) == {
        ("bob", None),
        ("alice", None),
        (None, "galaxies"),
    }
    bobs = StorageSample.objects.get(user=cast.bob)
    assert (bobs.soft_bytes, bobs.limit_bytes, bobs.files, bobs.source) == (9, 10, 3, "xfs")


def test_a_number_of_a_group_is_none_of_a_person(cast: Cast) -> None:
    recorded = record([sample(name=None, number=cast.galaxies.gid)], at=clock.now())
    assert [rejected.code for rejected in recorded.rejected] == ["unknown_owner"]


def test_telling_again_changes_nothing(cast: Cast) -> None:
    first = record([sample(), sample()], at=clock.now())
    assert (first.accepted, first.duplicates) == (1, 1)
    again = record([sample(), sample(used_bytes=6)], at=clock.now())
    assert (again.accepted, again.duplicates) == (0, 1)
    [rejected] = again.rejected
    assert (rejected.index, rejected.code) == (1, "conflict")
    assert "says 5 bytes" in rejected.detail
    assert StorageSample.objects.get().used_bytes == 5


def test_a_moment_ahead_of_the_clock_is_refused(cast: Cast) -> None:
    at = clock.now()
    ahead = [sample(taken_at=at + timedelta(minutes=minutes)) for minutes in (4, 6)]
    recorded = record(ahead, at=at)
    assert recorded.accepted == 1
    assert [rejected.code for rejected in recorded.rejected] == ["bad_time"]


def test_many_samples_cost_no_more_queries(cast: Cast) -> None:
    def queries(number: int, mount: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            record([sample(mount=f"{mount}{place}") for place in range(number)], at=clock.now())
        return len(captured)

    queries(1, "/warm")
    assert queries(400, "/many") == queries(2, "/few")


def test_a_collector_tells_by_the_api(cast: Cast) -> None:
    collector = Program(None)
    answer = collector.post(
        URL,
        {
            "samples": [
                told(),
                told(name="nobody"),
                told(used_bytes=-1),
                told(name=None),
                told(colour="red"),
                told(kind="group", name="transients", mount="/groups", source="ceph", stale=True),
            ]
        },
    )
    assert answer.status_code == 200
    content = answer.json()
    assert (content["accepted"], content["duplicates"]) == (2, 0)
    assert [(one["index"], one["code"]) for one in content["rejected"]] == [
        (1, "unknown_owner"),
        (2, "bad_value"),
        (3, "bad_value"),
        (4, "bad_value"),
    ]
    assert "used_bytes" in content["rejected"][1]["detail"]
    assert "colour: There is no such field" in content["rejected"][3]["detail"]
    again = collector.post(URL, {"samples": [told()]})
    assert again.json() == {"accepted": 0, "duplicates": 1, "rejected": []}


@pytest.mark.parametrize(
    "content", [{}, {"samples": []}, {"samples": [told()] * 501}, {"samples": 5}]
)
def test_what_is_no_list_of_samples_is_refused(cast: Cast, content: dict[str, Any]) -> None:
    answer = Program(None).post(URL, content)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["samples"]
    assert not StorageSample.objects.exists()


def test_people_see_their_home_and_the_groups_they_lead(cast: Cast) -> None:
    owners = [("user", "alice"), ("user", "bob"), ("group", "transients"), ("group", "galaxies")]
    record([sample(kind=kind, name=name) for kind, name in owners], at=clock.now())

    def seen(person: Any) -> set[str]:
        rows = Program(person).get(URL).json()["results"]
        return {row["user"] or row["group"] for row in rows}

    assert seen(cast.alice) == {"alice", "transients"}
    assert seen(cast.bob) == {"bob"}
    assert seen(cast.charlie) == set()
    assert seen(cast.dora) == {"alice", "bob", "transients", "galaxies"}


def test_people_tell_nothing(cast: Cast) -> None:
    answer = Program(cast.alice).post(URL, {"samples": [told()]})
    assert answer.status_code == 403


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["kind,name,mount,taken_at,used_bytes,hard_bytes", *rows]) + "\n")
    return path


def test_a_table_is_imported_once(cast: Cast, tmp_path: Path) -> None:
    path = write(
        tmp_path / "homes.csv",
        "user,bob,/home,2026-05-01T02:00:00Z,5,10",
        "group,galaxies,/groups,2026-05-01T02:00:00+02:00,6,",
    )
    out = StringIO()
    call_command("import_storage", str(path), stdout=out)
    call_command("import_storage", str(path), stdout=out)
    assert "2 accepted, 0 duplicates" in out.getvalue()
    assert "0 accepted, 2 duplicates" in out.getvalue()
    assert StorageSample.objects.get(group=cast.galaxies).limit_bytes is None


def test_lines_that_cannot_be_are_named_and_the_others_kept(cast: Cast, tmp_path: Path) -> None:
    path = write(
        tmp_path / "homes.csv",
        "user,bob,/home,2026-05-01T02:00:00Z,5,10",
        "user,nobody,/home,2026-05-01T02:00:00Z,5,10",
        "user,alice,/home,yesterday,5,10",
        "user,alice,/home,2026-05-01T02:00:00Z,5,10,surplus",
    )
    said = StringIO()
    with pytest.raises(CommandError, match="1 accepted, 0 duplicates, 3 rejected"):
        call_command("import_storage", str(path), stderr=said)
    lines = said.getvalue().splitlines()
    assert [line.split(":")[0] for line in sorted(lines)] == ["line 3", "line 4", "line 5"]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "homes.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError, match=r"homes\.csv cannot be read"):
        call_command("import_storage", str(path))
