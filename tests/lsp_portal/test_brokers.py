"""A real worker takes tasks from each broker that the portal supports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lsp_portal.models import Service
from tests.processes import ROOT, environment, running

BROKERS = ["filesystem://", "redis://127.0.0.1:6379/9", "amqp://guest:guest@127.0.0.1:5672//"]
PATIENCE = 40  # seconds for a worker to start and to do its first task


@pytest.mark.parametrize("broker", BROKERS, ids=lambda address: urlsplit(address).scheme)
@pytest.mark.django_db(transaction=True)
def test_a_worker_does_what_is_sent_through_the_broker(broker: str, tmp_path: Path) -> None:
    _skip_without(broker)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        service = Service.objects.create(
            title="Down", url="/", status_url=f"http://127.0.0.1:{closed.getsockname()[1]}/"
        )
        env = environment(tmp_path, CELERY_BROKER_URL=broker)
        queue = f"test-{os.getpid()}"
        worker = ["celery", "-A", "lsp_portal", "worker", "--pool", "solo", "-Q", queue]
        with running(worker, env, tmp_path / "worker.log"):
            _send("lsp_portal.tasks.check_services", queue, env)
            _wait_until_checked(service, tmp_path / "worker.log")
    assert service.status == Service.Status.DOWN


def _skip_without(broker: str) -> None:
    place = urlsplit(broker)
    if place.hostname is None:
        return
    try:
        socket.create_connection((place.hostname, place.port or 0), timeout=2).close()
    except OSError:
        pytest.skip(f"no server answers at {place.hostname}:{place.port}")


def _send(task: str, queue: str, env: dict[str, str]) -> None:
    program = (
        "import sys; from lsp_portal.celery import app; "
        "app.send_task(sys.argv[1], queue=sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", program, task, queue], cwd=ROOT, env=env, check=True)


def _wait_until_checked(service: Service, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        service.refresh_from_db()
        if service.checked_at is not None:
            return
        time.sleep(0.2)
    pytest.fail(f"the worker did nothing; it said:\n{log.read_text()}")
