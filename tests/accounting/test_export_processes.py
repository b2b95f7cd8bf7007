"""Exporters that are killed, or that run at once: no session is lost or published twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from io import StringIO
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

import pytest
from django.core.management import call_command
from django.db import connections

from accounting.models import ExportMark, ExportRun
from sessions.models import Session
from tests.accounting.cast import Cast
from tests.accounting.rows import add_many
from tests.accounting.test_export import jobs

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = 20
FORK = multiprocessing.get_context("fork")


def export_in_process(directory: Path) -> BaseProcess:
    """Start an exporter that shares nothing with the test but its code."""
    connections.close_all()
    process = FORK.Process(target=_export, args=(directory,))
    process.start()
    return process


def _export(directory: Path) -> None:
    call_command("export_xdmod", "--hub=demo", f"--output={directory}", stdout=StringIO())


def test_killed_at_any_moment_the_union_is_complete_and_free_of_duplicates(
    cast: Cast, tmp_path: Path
) -> None:
    random = Random(20261121)
    add_many(cast, 800)
    before = time.monotonic()
    export_in_process(tmp_path).join()
    usual = time.monotonic() - before
    for _ in range(KILLS):
        add_many(cast, 100)
        process = export_in_process(tmp_path)
        time.sleep(random.uniform(0, 1.1 * usual))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        _check_visible(tmp_path)
    call_command("export_xdmod", "--hub=demo", f"--output={tmp_path}", stdout=StringIO())
    _check_complete(tmp_path)
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


def test_exporters_at_once_publish_each_session_once(cast: Cast, tmp_path: Path) -> None:
    add_many(cast, 500)
    processes = [export_in_process(tmp_path) for _ in range(4)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    _check_complete(tmp_path)
    assert ExportRun.objects.exclude(jobs=0).count() == 1


def test_exporters_into_two_directories_share_nothing_twice(cast: Cast, tmp_path: Path) -> None:
    add_many(cast, 300)
    processes = [export_in_process(tmp_path / name) for name in ("one", "two")]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    found = [job.job_id for name in ("one", "two") for job in jobs(tmp_path / name)]
    assert found == list(range(1, 301))


def _check_visible(directory: Path) -> None:
    """What a receiver could read now: whole files without a repetition."""
    files = sorted((directory / "jobs").glob("[!.]*")) if directory.exists() else []
    lines = [line for file in files for line in file.read_text().splitlines()]
    seen = [int(line.partition("|")[0]) for line in lines]
    assert len(seen) == len(set(seen))


def _check_complete(directory: Path) -> None:
    published = [job.job_id for job in jobs(directory)]
    assert published == list(range(1, Session.objects.count() + 1))
    assert ExportMark.objects.count() == len(published)
    assert not ExportRun.objects.filter(state=ExportRun.State.CLAIMED).exists()
    assert len(list(directory.glob("manifest-*.json"))) == ExportRun.objects.count()
