"""Each finished session leaves once, as a line that the receiver takes unchanged."""

from __future__ import annotations

import json
import resource
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import TextField, UUIDField, functions

from accounting.models import ExportMark, ExportRun
from sessions.models import Charge, Session
from tests.accounting.cast import Cast
from tests.accounting.receiver import Job, read_jobs
from tests.accounting.rows import EPOCH, add_charge, add_session
from tests.documents import Documents

pytestmark = pytest.mark.django_db

UNTIL = "2026-06-01T00:00:00Z"
REASONS = ("user", "culled", "hub", "unknown", "admin", "quota", "crashed", "oom", "evicted")


def run_export(directory: Path, *options: str) -> str:
    out = StringIO()
    call_command(
        "export_xdmod",
        "--hub=demo",
        f"--output={directory}",
        f"--until={UNTIL}",
        *options,
        stdout=out,
    )
    return out.getvalue()


def jobs(directory: Path) -> list[Job]:
    files = sorted((directory / "jobs").glob("[!.]*"))  # as readers take them
    return [job for file in files for job in read_jobs(file.read_bytes())]


def manifest(directory: Path) -> dict[str, Any]:
    """The newest one."""
    path = max(directory.glob("manifest-*.json"), key=lambda path: path.name)
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def finished(cast: Cast, hours: float = 1, **changes: Any) -> Session:
    details: dict[str, Any] = {
        "user": cast.bob,
        "group": cast.transients,
        "started_at": EPOCH,
        "ended_at": EPOCH + timedelta(hours=hours),
        **changes,
    }
    session = add_session(cast.hub, **details)
    add_charge(session)
    return session


@time_machine.travel(datetime(2026, 5, 5, 12, tzinfo=UTC), tick=False)
def test_the_files_are_those_of_the_data_folder(
    cast: Cast, tmp_path: Path, documents: Documents
) -> None:
    restart_numbers()
    for number, reason in enumerate(REASONS):
        finished(
            cast,
            hours=number * 7.77,
            user=(cast.alice, cast.bob)[number % 2],
            group=(cast.transients, cast.galaxies)[number % 2],
            end_reason=reason,
            cpu_millicores=(1, 500, 1000, 1001, 4000)[number % 5],
            memory_mib=1024 * number,
            gpus=number % 3,
        )
    finished(cast, group=None)
    finished(cast, user=None, group=None)
    never_ready(cast)
    Session.objects.update(
        key=functions.Cast(functions.MD5(functions.Cast("number", TextField())), UUIDField())
    )
    run_export(tmp_path)
    documents.expect("xdmod/jobs.log", (tmp_path / "jobs/demo-00000001.log").read_text())
    documents.expect("xdmod/manifest.json", (tmp_path / "manifest-demo-00000001.json").read_text())


def test_a_second_run_writes_no_line(cast: Cast, tmp_path: Path) -> None:
    finished(cast)
    assert "Exported 1 sessions of demo" in run_export(tmp_path)
    assert "Exported 0 sessions of demo" in run_export(tmp_path)
    assert len(jobs(tmp_path)) == 1
    assert len(list((tmp_path / "jobs").iterdir())) == 1
    assert len(list(tmp_path.glob("manifest-*.json"))) == 2
    assert manifest(tmp_path)["files"] == []
    assert manifest(tmp_path)["job_ids"] is None


def test_job_ids_are_dense_over_runs(cast: Cast, tmp_path: Path) -> None:
    for number in range(3):
        for _ in range(number):
            finished(cast)
        run_export(tmp_path)
    assert [job.job_id for job in jobs(tmp_path)] == [1, 2, 3]
    assert manifest(tmp_path)["job_ids"] == [2, 3]


def test_running_and_later_sessions_wait(cast: Cast, tmp_path: Path) -> None:
    until = datetime(2026, 6, 1, tzinfo=UTC)
    finished(cast, ended_at=None)
    finished(cast, ended_at=until)
    last = finished(cast, ended_at=until - timedelta(seconds=1))
    run_export(tmp_path, "--settle=1")
    assert jobs(tmp_path) == []
    run_export(tmp_path)
    assert list(ExportMark.objects.values_list("session", flat=True)) == [last.number]


def test_a_session_that_was_never_ready_is_only_counted(cast: Cast, tmp_path: Path) -> None:
    never_ready(cast)
    run_export(tmp_path)
    assert jobs(tmp_path) == []
    assert manifest(tmp_path)["never_ready"] == 1
    assert not (list((tmp_path / "jobs").iterdir()))


def test_an_unattributed_session_leaves_once_somebody_pays(cast: Cast, tmp_path: Path) -> None:
    session = finished(cast, user=None, group=None)
    run_export(tmp_path)
    assert manifest(tmp_path)["refused"] == [
        {"session": session.number, "key": str(session.key), "reason": "unattributed"}
    ]
    assert jobs(tmp_path) == []
    Session.objects.update(user=cast.bob, group=cast.galaxies)
    Charge.objects.update(user=cast.bob, group=cast.galaxies)
    run_export(tmp_path)
    assert [(job.user, job.group) for job in jobs(tmp_path)] == [("bob", "galaxies")]
    assert manifest(tmp_path)["refused"] == []


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (datetime(1969, 12, 31, tzinfo=UTC), "starts_before_1970"),
        (datetime(2038, 1, 18, tzinfo=UTC), "ends_after_2038"),
        (datetime(1, 1, 1, tzinfo=UTC) + timedelta(1), "starts_before_1970"),
    ],
)
def test_what_the_receiver_would_spoil_is_refused(
    cast: Cast, tmp_path: Path, start: datetime, reason: str
) -> None:
    good = finished(cast)
    finished(cast, started_at=start, ended_at=start + timedelta(hours=1))
    run_export(tmp_path, "--until=2039-01-01T00:00:00Z")
    assert [row["reason"] for row in manifest(tmp_path)["refused"]] == [reason]
    assert manifest(tmp_path)["refused_by_reason"] == {reason: 1}
    assert list(ExportMark.objects.values_list("session", flat=True)) == [good.number]
    jobs(tmp_path)


def test_a_session_whose_resources_nobody_knows_is_refused(cast: Cast, tmp_path: Path) -> None:
    add_session(cast.hub, user=cast.bob, group=cast.transients, started_at=EPOCH, ended_at=EPOCH)
    run_export(tmp_path)
    assert manifest(tmp_path)["refused_by_reason"] == {"no_resources": 1}


@pytest.mark.parametrize(
    "text", ["", "a|b", "None assigned", "höst[1-3]", "x\ny", "\\N", "x" * 900]
)
def test_free_text_cannot_break_a_line(cast: Cast, tmp_path: Path, text: str) -> None:
    session = finished(cast)
    Session.objects.filter(pk=session.pk).update(
        node=text, image=text, size=text, exit_code=2**31 - 1, end_reason=text
    )
    run_export(tmp_path)
    [job] = jobs(tmp_path)
    assert job.state == "COMPLETED"


@pytest.mark.parametrize(
    ("asked", "submitted"), [(None, EPOCH), (-20, EPOCH - timedelta(seconds=20)), (20, EPOCH)]
)
def test_submit_is_the_request_and_never_after_the_start(
    cast: Cast, tmp_path: Path, asked: int | None, submitted: datetime
) -> None:
    finished(cast)
    requested = None if asked is None else EPOCH + timedelta(seconds=asked)
    Session.objects.update(requested_at=requested)
    run_export(tmp_path)
    assert [job.submit for job in jobs(tmp_path)] == [submitted]


def test_exact_and_exported_core_seconds_differ_by_the_printed_rounding(
    cast: Cast, tmp_path: Path
) -> None:
    for millicores in (1, 999, 1000, 1001):
        finished(cast, cpu_millicores=millicores)
    run_export(tmp_path)
    exact, exported = 3600 * 3001, 3600 * (1 + 1 + 1 + 2)
    assert manifest(tmp_path)["core_seconds"] == {
        "exact": f"{exact // 1000}.{exact % 1000:03}",
        "exported": exported,
        "rounding": f"{(exported * 1000 - exact) // 1000}.{(exported * 1000 - exact) % 1000:03}",
    }
    assert sum(job.core_seconds for job in jobs(tmp_path)) == exported


def test_a_later_change_is_a_correction_and_never_a_second_line(cast: Cast, tmp_path: Path) -> None:
    session = finished(cast)
    run_export(tmp_path)
    assert manifest(tmp_path)["corrections"] == []
    Session.objects.update(ended_at=EPOCH + timedelta(minutes=30))
    Charge.objects.update(ended_at=EPOCH + timedelta(minutes=30), group=cast.galaxies)
    run_export(tmp_path)
    assert len(jobs(tmp_path)) == 1
    before = {
        "user": "bob",
        "group": "transients",
        "start": "2026-05-01T00:00:00Z",
        "end": "2026-05-01T01:00:00Z",
        "core_seconds": "3600.000",
    }
    after = {
        **before,
        "group": "galaxies",
        "end": "2026-05-01T00:30:00Z",
        "core_seconds": "1800.000",
        "origin": "notebook",
    }
    assert manifest(tmp_path)["corrections"] == [
        {
            "session": session.number,
            "key": str(session.key),
            "job_id": 1,
            "published": before,
            "ledger": [after],
        }
    ]


def test_an_adjustment_is_a_correction_too(cast: Cast, tmp_path: Path) -> None:
    session = finished(cast)
    run_export(tmp_path)
    add_charge(session, sign=-1, origin="adjustment")
    run_export(tmp_path)
    [correction] = manifest(tmp_path)["corrections"]
    assert [row["core_seconds"] for row in correction["ledger"]] == ["3600.000", "-3600.000"]


def test_the_manifest_says_when_the_ingestor_must_look_back(cast: Cast, tmp_path: Path) -> None:
    finished(cast)
    run_export(tmp_path)
    assert manifest(tmp_path)["ingest"] == {
        "first_end": "2026-05-01T01:00:00Z",
        "last_end": "2026-05-01T01:00:00Z",
        "late": True,
        "xdmod_ingestor_option": "--last-modified-start-date 2026-05-01",
    }


def test_hubs_have_job_ids_of_their_own(cast: Cast, tmp_path: Path) -> None:
    finished(cast)
    run_export(tmp_path / "demo")
    other = type(cast.hub).objects.create(name="other", title="Other")
    add_charge(
        add_session(
            other,
            user=cast.bob,
            group=cast.transients,
            started_at=EPOCH,
            ended_at=EPOCH + timedelta(1),
        )
    )
    call_command("export_xdmod", "--hub=other", f"--output={tmp_path / 'other'}", stdout=StringIO())
    assert [job.job_id for job in jobs(tmp_path / "other")] == [1]


def test_a_directory_that_cannot_be_written_claims_nothing(cast: Cast, tmp_path: Path) -> None:
    finished(cast)
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be written"):
        run_export(tmp_path / "file")
    assert not ExportRun.objects.exists()


def test_a_full_disk_loses_nothing(cast: Cast, tmp_path: Path) -> None:
    for _ in range(20):
        finished(cast)
    with limited_file_size(1000), pytest.raises(CommandError, match="Nothing is lost"):
        run_export(tmp_path)
    assert jobs(tmp_path) == []
    assert list((tmp_path / "jobs").iterdir()) == []
    assert "finished 1 interrupted before" in run_export(tmp_path)
    assert [job.job_id for job in jobs(tmp_path)] == list(range(1, 21))
    assert len(list(tmp_path.glob("manifest-*.json"))) == 2


def test_an_interrupted_run_may_be_finished_in_another_directory(
    cast: Cast, tmp_path: Path
) -> None:
    finished(cast)
    with limited_file_size(100), pytest.raises(CommandError):
        run_export(tmp_path / "full")
    run_export(tmp_path / "free")
    assert len(jobs(tmp_path / "free")) == 1
    assert jobs(tmp_path / "full") == []


def test_lines_that_already_lie_in_the_first_directory_are_not_written_again(
    cast: Cast, tmp_path: Path
) -> None:
    finished(cast)
    run_export(tmp_path / "first")
    ExportRun.objects.update(state=ExportRun.State.CLAIMED)
    next((tmp_path / "first").glob("manifest-*.json")).unlink()
    run_export(tmp_path / "second")
    assert len(jobs(tmp_path / "first")) == 1
    assert jobs(tmp_path / "second") == []
    written = min((tmp_path / "second").glob("manifest-*.json"), key=lambda path: path.name)
    [file] = json.loads(written.read_text())["files"]
    assert Path(file["name"]).parent == tmp_path / "first" / "jobs"


def test_an_interrupted_run_is_rewritten_as_it_was_claimed(cast: Cast, tmp_path: Path) -> None:
    finished(cast)
    run_export(tmp_path)
    [log] = (tmp_path / "jobs").iterdir()
    published = log.read_bytes()
    log.unlink()
    ExportRun.objects.update(state=ExportRun.State.CLAIMED)
    Session.objects.update(size="large", ended_at=EPOCH + timedelta(hours=5))
    Charge.objects.update(cpu_millicores=9000, ended_at=EPOCH + timedelta(hours=5))
    run_export(tmp_path)
    assert log.read_bytes() == published


def test_job_ids_end_where_the_receivers_integers_end(cast: Cast, tmp_path: Path) -> None:
    finished(cast)
    run_export(tmp_path)
    ExportRun.objects.update(first_job_id=2147483646)
    ExportMark.objects.update(job_id=2147483646)
    for _ in range(2):
        finished(cast)
    run_export(tmp_path)
    assert manifest(tmp_path)["job_ids"] == [2147483647, 2147483647]
    assert manifest(tmp_path)["refused_by_reason"] == {"due_next_run": 1}
    run_export(tmp_path)
    assert manifest(tmp_path)["exported"] == 0


@pytest.mark.parametrize(
    "options",
    [
        ["--hub=nowhere"],
        ["--until=yesterday"],
        ["--settle=-1"],
        ["--until=0001-01-01", "--settle=9"],
    ],
)
def test_bad_arguments_get_a_clear_error(cast: Cast, tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(CommandError, match=r"hub|--until|--settle"):
        run_export(tmp_path, *options)


def restart_numbers() -> None:
    with connection.cursor() as cursor:
        for table in ("hub_sessions_session', 'number", "accounting_exportrun', 'id"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}'), 1, false)")


def never_ready(cast: Cast) -> None:
    Session.objects.create(
        hub=cast.hub, requested_at=EPOCH, ended_at=EPOCH, end_source="stop", end_reason="unknown"
    )


class limited_file_size:  # noqa: N801  # reads as a statement
    """No file can grow beyond so many bytes, as on a disk that is full."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> None:
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


def test_a_session_that_is_told_as_another_is_no_job(cast: Cast, tmp_path: Path) -> None:
    adopted = finished(cast, hours=0)
    Session.objects.filter(pk=adopted.pk).update(adopted_until=EPOCH)
    finished(cast)
    run_export(tmp_path)
    assert len(jobs(tmp_path)) == 1
    assert manifest(tmp_path)["refused_by_reason"] == {}
