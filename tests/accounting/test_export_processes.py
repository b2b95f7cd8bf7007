"""Exporters that run at once: no session is lost or published twice."""

from __future__ import annotations

import multiprocessing
from io import StringIO
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections

from accounting.models import ExportMark, ExportRun
from sessions.models import Session
from tests.accounting.cast import Cast
from tests.accounting.rows import add_many
from tests.accounting.test_export import jobs

pytestmark = pytest.mark.django_db(transaction=True)

FORK = multiprocessing.get_context("fork")


def export_in_process(directory: Path) -> BaseProcess:
    """Start an exporter that shares nothing with the test but its code."""
    connections.close_all()
    process = FORK.Process(target=_export, args=(directory,))
    process.start()
    return process


def _export(directory: Path) -> None:
    call_command("export_xdmod", "--hub=demo", f"--output={directory}", stdout=StringIO())


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


def _check_complete(directory: Path) -> None:
    published = [job.job_id for job in jobs(directory)]
    assert published == list(range(1, Session.objects.count() + 1))
    assert ExportMark.objects.count() == len(published)
    assert not ExportRun.objects.filter(state=ExportRun.State.CLAIMED).exists()
    assert len(list(directory.glob("manifest-*.json"))) == ExportRun.objects.count()
