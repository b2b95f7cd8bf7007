"""The check of the services behind the lights, against a server that answers for real."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lsp_portal import services, tasks
from lsp_portal.lib import clock
from lsp_portal.models import Service

pytestmark = pytest.mark.django_db


class Answers(BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(1)
        status = int(self.path[1:]) if self.path[1:].isdigit() else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing is written."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_services() -> None:
    Service.objects.all().delete()


def add(title: str, status_url: str, **values: object) -> None:
    Service.objects.create(title=title, text="-", url="/", status_url=status_url, **values)


def test_each_service_gets_the_light_that_its_answer_means(address: str) -> None:
    for status in (200, 204, 302, 404, 500):
        add(str(status), f"{address}/{status}")
    before = clock.now()

    services.check_all()

    lights = dict(Service.objects.values_list("title", "status"))
    assert lights == {"200": "up", "204": "up", "302": "up", "404": "down", "500": "down"}
    assert all(found.checked_at >= before for found in Service.objects.all() if found.checked_at)


def test_a_service_that_cannot_be_reached_is_down_and_delays_nobody(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "TIMEOUT", (0.3, 0.3))
    add("closed port", "http://127.0.0.1:9/")
    add("slow", f"{address}/slow")
    add("no host", "http://127.0.0.1:port/")
    add("fine", f"{address}/200")

    found = services.check_all()

    assert found == {"closed port": "down", "slow": "down", "no host": "down", "fine": "up"}


def test_without_an_address_or_when_hidden_nothing_is_asked(address: str) -> None:
    add("no light", "")
    add("hidden", f"{address}/200", is_shown=False)

    assert services.check_all() == {}
    assert set(Service.objects.values_list("status", flat=True)) == {"unknown"}


def test_the_worker_checks_all_services(address: str) -> None:
    add("fine", f"{address}/200")

    tasks.check_services()

    assert Service.objects.get().light(at=clock.now()) == ("Running", "ok")
