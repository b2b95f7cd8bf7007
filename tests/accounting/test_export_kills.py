"""Exporters that are killed at any moment, again and again: all leaves, and nothing twice.

Each command is killed `EXPORT_KILLS` times (50), at moments from `EXPORT_SEED` that are spread over
the time that it was measured to take. It runs in a fork of the test, so that no moment is spent on
starting Python; with `EXPORT_PROGRAMS=1` it is `manage.py` itself, which takes minutes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from dirq.QueueSimple import QueueSimple
from django.core.management import call_command
from django.db import connections

from accounting.exports.apel.star import NAMESPACE
from accounting.models import ApelRun, ExportMark, ExportRun
from sessions.models import Charge, Session, StorageSample
from tests import factories
from tests.accounting.apel_receiver import read_message
from tests.accounting.cast import Cast
from tests.accounting.rows import EPOCH, add_many
from tests.accounting.test_export import jobs
from tests.processes import environment

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = int(os.environ.get("EXPORT_KILLS", "50"))
SEED = int(os.environ.get("EXPORT_SEED", str(int(time.time()))))
IS_PROGRAM = bool(os.environ.get("EXPORT_PROGRAMS"))
DAY = timedelta(days=1)
NAME = f"{{{NAMESPACE}}}"


@dataclass(frozen=True)
class Exporter:
    """A command, what it gets to do, what of it lies on disk, and what the ledger has.

    Both are named alike, so that they can be compared.
    """

    command: tuple[str, ...]
    kills: int
    add: Callable[[Cast, int], None]
    found: Callable[[Path], Counter[str]]
    expected: Callable[[], set[str]]


def add_sessions(cast: Cast, number: int) -> None:
    add_many(cast, 100 if number == 0 else 10)
    Charge.objects.filter(gpus=0).update(gpus=1)


def add_days(cast: Cast, number: int) -> None:
    """Two more days of two homes and an area."""
    if number == 0:
        for user in (cast.alice, cast.bob):
            factories.membership(user, cast.transients, "pi", valid_from=EPOCH - 900 * DAY)
    owners: list[dict[str, Any]] = [
        {"user": cast.alice, "mount": "/home"},
        {"user": cast.bob, "mount": "/home"},
        {"group": cast.transients, "mount": "/area"},
    ]
    StorageSample.objects.bulk_create(
        StorageSample(
            taken_at=EPOCH - (400 - 2 * number - more) * DAY,
            used_bytes=7,
            files=3,
            source="walk",
            **owner,
        )
        for more in range(2)
        for owner in owners
    )


def job_lines(directory: Path) -> Counter[str]:
    return Counter(str(job.job_id) for job in jobs(directory))


def records(directory: Path) -> Counter[str]:
    """What lies in the queues of cloud and accelerator records."""
    clouds, gpus = texts(directory / "cloud"), texts(directory / "accelerator")
    found = Counter(f"cloud {one['VMUUID']}" for text in clouds for one in read_message(text))
    found.update(
        f"gpu {one['AssociatedRecord']}"
        for text in gpus
        for one in json.loads(text)["UsageRecords"]
    )
    return found


def texts(queue: Path) -> list[str]:
    """The messages as a reader of the queue finds them; they stay."""
    if not queue.exists():
        return []
    return [(queue / name).read_text() for name in QueueSimple(str(queue))]


def snapshots(directory: Path) -> Counter[str]:
    found = [one for path in directory.glob("[!.]*.json") for one in json.loads(path.read_text())]
    return Counter(f"{one['dt'][:10]} {one['user']} {one['mountpoint']}" for one in found)


def star_records(directory: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for text in texts(directory):
        for one in ET.fromstring(text):  # noqa: S314 - what the portal wrote
            said = {element.tag: element.text or "" for element in one.iter()}
            user = said.get(f"{NAME}LocalUser", "alice")
            found[f"{said[f'{NAME}StartTime'][:10]} {user} {said[f'{NAME}StorageShare']}"] += 1
    return found


def job_ids() -> set[str]:
    """As many as there are sessions, each of which is marked."""
    assert not ExportRun.objects.filter(state=ExportRun.State.CLAIMED).exists()
    assert ExportMark.objects.count() == Session.objects.count()
    return {str(number) for number in range(1, Session.objects.count() + 1)}


def keys() -> set[str]:
    assert not ApelRun.objects.filter(state=ApelRun.State.CLAIMED).exists()
    told = Session.objects.values_list("key", flat=True)
    return {f"{kind} {key}" for kind in ("cloud", "gpu") for key in told}


def samples() -> set[str]:
    """Alice speaks for the area."""
    return {
        f"{one.taken_at:%Y-%m-%d} {one.user.username if one.user else 'alice'} {one.mount}"
        for one in StorageSample.objects.select_related("user")
    }


STORAGE = ("export_storage", "--resource=homes", "--site=UKI-ROE")
EXPORTERS = {
    "jobs for Open XDMoD": Exporter(
        ("export_xdmod", "--hub=demo"), KILLS, add_sessions, job_lines, job_ids
    ),
    "records for APEL": Exporter(
        ("export_apel", "--hub=demo", "--site=UKI-ROE"), KILLS, add_sessions, records, keys
    ),
    "storage for Open XDMoD": Exporter(
        (*STORAGE, "xdmod"), KILLS // 2, add_days, snapshots, samples
    ),
    "storage for APEL": Exporter((*STORAGE, "apel"), KILLS // 2, add_days, star_records, samples),
}


@pytest.mark.parametrize("name", EXPORTERS)
def test_killed_at_any_moment_all_leaves_and_nothing_twice(
    cast: Cast, tmp_path: Path, name: str
) -> None:
    sys.stdout.write(f"EXPORT_SEED={SEED}\n")
    exporter, random, directory = EXPORTERS[name], Random(SEED), tmp_path / "out"
    exporter.add(cast, 0)
    before = time.monotonic()
    assert waited(started(exporter, directory)) == 0
    usual = time.monotonic() - before
    for number in range(1, exporter.kills + 1):
        exporter.add(cast, number)
        process = started(exporter, directory)
        time.sleep(random.uniform(0, 1.2 * usual))
        os.kill(process, signal.SIGKILL)
        assert waited(process) in {0, -signal.SIGKILL}
        assert set(exporter.found(directory).values()) == {1}
    assert waited(started(exporter, directory)) == 0
    assert exporter.found(directory) == Counter(exporter.expected())
    assert not [path for path in directory.rglob(".*") if path.is_file()]


def started(exporter: Exporter, directory: Path) -> int:
    """The id of the process of the exporter."""
    command = [*exporter.command, f"--output={directory}"]
    if IS_PROGRAM:
        arguments = [sys.executable, "manage.py", *command]
        return os.posix_spawn(sys.executable, arguments, environment(directory.parent))
    connections.close_all()
    process = os.fork()
    if process == 0:
        os._exit(_exported(command))
    return process


def _exported(command: list[str]) -> int:
    try:
        call_command(*command, stdout=StringIO())
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def waited(process: int) -> int:
    """How the process ended, once it did."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
