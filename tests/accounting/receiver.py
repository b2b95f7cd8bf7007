"""Open XDMoD's rules for a Slurm line, written once more and strictly, against what we publish."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NAMES = [
    "jobid",
    "jobidraw",
    "cluster",
    "partition",
    "qos",
    "account",
    "group",
    "gid",
    "user",
    "uid",
    "submit",
    "eligible",
    "start",
    "end",
    "elapsed",
    "exitcode",
    "state",
    "nnodes",
    "ncpus",
    "reqcpus",
    "reqmem",
    "reqtres",
    "alloctres",
    "timelimit",
    "nodelist",
    "jobname",
]
STATES = {
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "FAILED",
    "NODE_FAIL",
    "PREEMPTED",
    "TIMEOUT",
    "OUT_OF_MEMORY",
    "DEADLINE",
    "REVOKED",
}
NAME = re.compile(r"[a-z0-9._-]{1,30}")
LENGTH = re.compile(r"(?:(\d+)-)?(\d\d):([0-5]\d):([0-5]\d)")
LAST_END = datetime(2038, 1, 18, tzinfo=UTC)


@dataclass(frozen=True)
class Job:
    """What the receiver makes of a line."""

    job_id: int
    user: str
    group: str
    submit: datetime
    start: datetime
    end: datetime
    state: str
    cpus: int
    gpus: int

    @property
    def core_seconds(self) -> int:
        return self.cpus * int((self.end - self.start).total_seconds())


def read_jobs(content: bytes) -> list[Job]:
    """Every job of a file; AssertionError names the rule that a line breaks."""
    text = content.decode("ascii")
    assert text == "" or text.endswith("\n")
    assert "\r" not in text
    return [read_job(line) for line in text.splitlines()]


def read_job(line: str) -> Job:
    assert line.isprintable()
    fields = line.split("|")
    assert len(fields) == len(NAMES) == 26, line
    job = dict(zip(NAMES, fields, strict=True))
    _check_names(job)
    _check_resources(job)
    submit, start, end = _check_times(job)
    return Job(
        job_id=int(job["jobid"]),
        user=job["user"],
        group=job["group"],
        submit=submit,
        start=start,
        end=end,
        state=job["state"],
        cpus=int(job["ncpus"]),
        gpus=_gpus(job["alloctres"]),
    )


def _check_names(job: dict[str, str]) -> None:
    assert re.fullmatch(r"[1-9]\d*", job["jobid"])
    assert int(job["jobid"]) <= 2147483647
    assert job["jobid"] == job["jobidraw"]
    for name in ("account", "group", "user"):
        assert NAME.fullmatch(job[name]), job[name]
    assert job["account"] == job["group"] != job["user"]
    for number in ("gid", "uid"):
        assert re.fullmatch(r"\d+", job[number])
    assert job["cluster"]
    assert job["partition"]
    assert job["qos"]
    assert re.fullmatch(r"[A-Za-z0-9._:-]+", job["nodelist"])
    assert re.fullmatch(r"[ -~]+", job["jobname"])
    assert job["state"] in STATES


def _check_resources(job: dict[str, str]) -> None:
    for number in ("nnodes", "ncpus", "reqcpus"):
        assert re.fullmatch(r"[1-9]\d*", job[number])
    assert re.fullmatch(r"\d+[KMGT]", job["reqmem"])
    for tres in ("reqtres", "alloctres"):
        assert f"cpu={job['ncpus']}" in job[tres].split(",")
        assert f"mem={job['reqmem']}" in job[tres].split(",")
    assert re.fullmatch(r"\d+:\d+", job["exitcode"])


def _check_times(job: dict[str, str]) -> tuple[datetime, datetime, datetime]:
    submit, eligible, start, end = (
        datetime.strptime(job[name], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
        for name in ("submit", "eligible", "start", "end")
    )
    assert datetime(1970, 1, 1, tzinfo=UTC) < submit == eligible <= start <= end < LAST_END
    assert _length(job["elapsed"]) == end - start
    _length(job["timelimit"])
    return submit, start, end


def _length(text: str) -> timedelta:
    match = LENGTH.fullmatch(text)
    assert match, text
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    assert hours < 24
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _gpus(tres: str) -> int:
    match = re.search(r"gres/gpu=(\d+)", tres)
    return int(match[1]) if match else 0
