"""What collectors read is what is there, however odd the names and whatever stops them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_storage.__main__ import main
from lsp_storage.ceph import ceph
from lsp_storage.folders import shown
from lsp_storage.passes import BusyError, Plan, walked
from lsp_storage.quota_reports import BadReportError, Measured, ext, xfs
from lsp_storage.readings import BadReadingError, Reading, read, read_line
from lsp_storage.walk import StoppedError
from tests.documents import DATA

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
USERS = Measured("user", "/home", NOON)


def fill(folder: Path, files: int, *, each: int = 5000, deep: int = 3) -> None:
    for number in range(files):
        below = folder.joinpath(*[f"d{number % 7}"] * (number % deep))
        below.mkdir(parents=True, exist_ok=True)
        (below / f"file {number}\n").write_bytes(b"x" * each)


def du(folder: Path) -> tuple[int, int]:
    """What the system's own tool counts: bytes on disk, and names less further ones of a file."""
    blocks = subprocess.run(
        ["du", "--block-size=1", "-s", str(folder)], capture_output=True, text=True, check=True
    )
    seen = {(path.lstat().st_dev, path.lstat().st_ino) for path in folder.rglob("*")}
    return int(blocks.stdout.split()[0]), len(seen) + 1


def walk(root: Path, state: Path, seconds: float = 60) -> dict[str | None, Reading]:
    plan = Plan(root, "user", "/home", threads=3, seconds=seconds)
    found = walked(plan, state=state, now=lambda: NOON, say=lambda text: None)
    return {reading.name: reading for reading in found}


def test_a_walk_counts_what_the_system_counts(tmp_path: Path) -> None:
    root = tmp_path / "home"
    fill(root / "alice", 300)
    fill(root / "bob", 3, each=1)
    os.link(root / "alice" / "file 0\n", root / "alice" / "again")
    (root / "alice" / "out").symlink_to("/usr")
    (root / "charlie").mkdir()
    (root / "a file of nobody").write_text("x")
    (root / "dora").symlink_to(root / "alice")
    found = walk(root, tmp_path / "state")
    assert set(found) == {"alice", "bob", "charlie"}
    for name, reading in found.items():
        assert (reading.used_bytes, reading.files) == du(root / str(name))
        assert not reading.stale
    assert not (tmp_path / "state").exists()


def test_names_that_are_no_text_are_counted_and_shown(tmp_path: Path) -> None:
    root = tmp_path / "home"
    odd = os.path.join(os.fsencode(root), b"bad\xff\nname")
    os.makedirs(os.path.join(odd, b"\xfe\xfd"))
    Path(os.fsdecode(os.path.join(odd, b"\xfe\xfd", b"f"))).write_bytes(b"x" * 10)
    [reading] = walk(root, tmp_path / "state").values()
    assert reading.name == "bad\\\\xff\\nname"
    assert reading.files == 3
    assert read_line(reading.line()) == reading


def test_what_cannot_be_read_makes_the_reading_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "home"
    fill(root / "alice", 30)
    real = os.scandir

    def refuses(path: bytes) -> object:
        if os.fsencode(path).endswith(b"d1"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("lsp_storage.walk.os.scandir", refuses)
    [reading] = walk(root, tmp_path / "state").values()
    assert reading.stale
    assert 0 < reading.used_bytes < du(root / "alice")[0]


def test_a_walk_that_is_out_of_time_goes_on_later(tmp_path: Path) -> None:
    root, state = tmp_path / "home", tmp_path / "state"
    for name in "abcd":
        fill(root / name, 20)
    plan = Plan(root, "user", "/home")
    first = walked(plan, state=state, now=lambda: NOON, say=lambda text: None)
    next(first)
    next(first)
    first.close()
    with pytest.raises(StoppedError):
        walk(root, state, seconds=-1)
    fill(root / "a", 200)  # was counted before, and is not counted twice in one pass
    found = walk(root, state)
    assert list(found) == ["a", "b", "c", "d"]
    assert found["a"].used_bytes < du(root / "a")[0]
    assert found["d"].used_bytes == du(root / "d")[0]


def test_two_passes_do_not_mix(tmp_path: Path) -> None:
    root, state = tmp_path / "home", tmp_path / "state"
    fill(root / "a", 3)
    first = walked(
        Plan(root, "user", "/home"), state=state, now=lambda: NOON, say=lambda text: None
    )
    next(first)
    with pytest.raises(BusyError, match="another process"):
        walk(root, state)
    first.close()


def test_a_pass_that_is_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    root, state, random = tmp_path / "home", tmp_path / "state", Random(1)
    for number in range(30):
        fill(root / f"user{number:02}", 60)
    command = [sys.executable, "-m", "lsp_storage", "walk", str(root), f"--state={state}"]
    environment = {"PYTHONPATH": str(ROOT / "deploy" / "storage-collector"), "PATH": os.defpath}
    for _ in range(4):
        process = subprocess.Popen(command, env=environment, stdout=-1, stderr=-1)
        time.sleep(random.uniform(0.05, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = [read_line(line) for line in done.stdout.splitlines()]
    assert [reading.name for reading in found] == [f"user{number:02}" for number in range(30)]
    for reading in found:
        assert (reading.used_bytes, reading.files) == du(root / str(reading.name))


def test_a_report_of_xfs_is_read() -> None:
    report = (DATA / "storage" / "xfs-users.txt").read_text()
    _, full, _ = xfs(report, USERS)
    assert full == Reading(
        kind="user",
        mount="/home",
        taken_at=NOON,
        number=10001,
        used_bytes=10 * 2**30,
        soft_bytes=9 * 2**30,
        hard_bytes=10 * 2**30,
        files=201331,
        source="xfs",
    )


def test_a_report_of_ext_is_read() -> None:
    _, reading = ext((DATA / "storage" / "repquota.csv").read_text(), USERS)
    assert (reading.number, reading.used_bytes) == (10001, 9_500_000 * 1024)
    assert (reading.soft_bytes, reading.hard_bytes) == (9 * 2**30, 10 * 2**30)


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ("alice 12 0 0 00 [------]\n", "line 1 is no line of xfs_quota"),
        ("#1 -5 0 0 00 [--] 1 0 0 00 [--]\n", "line 1"),
    ],
)
def test_a_report_of_something_else_is_refused(report: str, said: str) -> None:
    with pytest.raises(BadReportError, match=said):
        list(xfs(report, USERS))


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ("Nothing\n", "line 1 has not the columns"),
        ("User,BlockUsed,BlockSoftLimit,BlockHardLimit,FileUsed\nalice,1,2,3,4\n", "with -n"),
        ("User,BlockUsed,BlockSoftLimit,BlockHardLimit,FileUsed\n#1,x,2,3,4\n", "no numbers"),
    ],
)
def test_a_report_of_ext_that_is_none_is_refused(report: str, said: str) -> None:
    with pytest.raises(BadReportError, match=said):
        list(ext(report, USERS))


def test_ceph_tells_by_attributes(tmp_path: Path) -> None:
    for name in ("alice", "bob"):
        (tmp_path / name).mkdir()
    known = {
        (b"alice", "ceph.dir.rbytes"): b"123",
        (b"alice", "ceph.dir.rfiles"): b"4",
        (b"alice", "ceph.quota.max_bytes"): b"1000",
        (b"bob", "ceph.dir.rbytes"): b"0",
        (b"bob", "ceph.dir.rfiles"): b"0",
    }

    def attribute(path: bytes, name: str) -> bytes:
        try:
            return known[os.path.basename(path), name]
        except KeyError:
            raise OSError(61, "No data available") from None

    alice, bob = ceph(tmp_path, kind="user", mount="/home", taken_at=NOON, get_attribute=attribute)
    assert (alice.used_bytes, alice.files, alice.hard_bytes) == (123, 4, 1000)
    assert bob.hard_bytes == 0


texts = st.text(min_size=1, max_size=40)
amounts = st.integers(0, 2**63 - 1)


@given(
    st.builds(
        Reading,
        kind=st.sampled_from(["user", "group"]),
        mount=texts,
        taken_at=st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)),
        name=texts,
        used_bytes=amounts,
        files=st.none() | amounts,
        soft_bytes=st.none() | amounts,
        hard_bytes=st.none() | amounts,
        stale=st.booleans(),
    )
)
def test_a_reading_travels_unharmed(reading: Reading) -> None:
    line = reading.line()
    assert len(line.splitlines()) == 1
    assert read_line(line) == reading


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"used_bytes": -1}, "used_bytes is -1"),
        ({"used_bytes": "12"}, "used_bytes is '12'; it is a whole number"),
        ({"used_bytes": True}, "a whole number"),
        ({"kind": "cat"}, "it is user or group"),
        ({"number": 5}, "a name or a number, and not both"),
        ({"mount": ""}, "mount is empty"),
        ({"taken_at": "yesterday"}, "taken_at is 'yesterday'"),
        ({"taken_at": "2026-05-01T00:00:00"}, "no time zone"),
        ({"colour": "red"}, "unknown: colour"),
        ({"used_bytes": None, "files": 2**63}, "files"),
    ],
)
def test_a_reading_that_cannot_be_is_refused(content: dict[str, object], said: str) -> None:
    good = {"kind": "user", "name": "a", "mount": "/", "used_bytes": 1, "taken_at": "2026-05-01Z"}
    good["taken_at"] = "2026-05-01T00:00:00Z"
    with pytest.raises(BadReadingError, match=said):
        read({**good, **content})


def test_what_is_missing_is_named() -> None:
    with pytest.raises(BadReadingError, match="missing: kind, mount, used_bytes"):
        read({"name": "alice", "taken_at": "2026-05-01T00:00:00Z"})


def test_a_root_that_is_away_is_an_error_of_the_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["walk", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err


@given(st.binary(min_size=1, max_size=30))
def test_every_name_can_be_shown(name: bytes) -> None:
    assert shown(name).isprintable()
