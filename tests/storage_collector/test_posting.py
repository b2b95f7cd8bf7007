"""Readings reach the portal once it is there, and wait until then."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lsp_storage import posting
from lsp_storage.__main__ import main
from lsp_storage.posting import Portal, PortalError, post_all, put
from lsp_storage.readings import Reading

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class StubPortal:
    """Answers with the statuses that it is given, then with 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.taken: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.rejected: list[dict[str, Any]] = []
        self.address = ""


@contextmanager
def stub_portal() -> Iterator[StubPortal]:
    stub = StubPortal()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stub.tokens.add(self.headers["Authorization"])
            status = stub.statuses.pop(0) if stub.statuses else 200
            if status == 200:
                assert self.path == "/api/v1/storage-samples"
                stub.taken += content["samples"]
            body = json.dumps({"rejected": stub.rejected}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    stub.address = f"http://127.0.0.1:{server.server_address[1]}/"
    yield stub
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def portal() -> Iterator[StubPortal]:
    with stub_portal() as stub:
        yield stub


def readings(number: int) -> list[Reading]:
    return [
        Reading(kind="user", mount="/home", taken_at=NOON, name=f"user{place}", used_bytes=place)
        for place in range(number)
    ]


def post(spool: Path, portal: StubPortal) -> list[str]:
    said: list[str] = []
    post_all(spool, Portal(portal.address, "secret"), say=said.append, sleep=lambda seconds: None)
    return said


def test_readings_arrive_in_parts(
    tmp_path: Path, portal: StubPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "READINGS_PER_FILE", 4)
    assert put(tmp_path, readings(10), name="now") == 10
    post(tmp_path, portal)
    assert [sample["name"] for sample in portal.taken] == [f"user{place}" for place in range(10)]
    assert portal.tokens == {"Bearer secret"}
    assert not list(tmp_path.iterdir())


def test_a_portal_in_trouble_is_asked_again(tmp_path: Path, portal: StubPortal) -> None:
    put(tmp_path, readings(1), name="now")
    portal.statuses = [503, 429]
    said = post(tmp_path, portal)
    assert len(said) == 2
    assert len(portal.taken) == 1


@pytest.mark.parametrize("statuses", [[503] * 4, [403]])
def test_what_the_portal_does_not_take_waits(
    tmp_path: Path, portal: StubPortal, statuses: list[int]
) -> None:
    put(tmp_path, readings(1), name="now")
    portal.statuses = list(statuses)
    with pytest.raises(PortalError, match="did not take now-00000"):
        post(tmp_path, portal)
    assert not portal.taken
    post(tmp_path, portal)
    assert len(portal.taken) == 1


def test_a_file_that_was_not_finished_is_passed_over(tmp_path: Path, portal: StubPortal) -> None:
    (tmp_path / ".now-00000.json.tmp").write_text('{"kind": "us')
    post(tmp_path, portal)
    assert not portal.taken


def test_what_the_portal_rejects_is_told(tmp_path: Path, portal: StubPortal) -> None:
    put(tmp_path, readings(1), name="now")
    portal.rejected = [{"index": 0, "code": "unknown_owner"}]
    [said] = post(tmp_path, portal)
    assert "unknown_owner" in said


def test_the_program_measures_and_tells(
    tmp_path: Path, portal: StubPortal, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home" / "alice").mkdir(parents=True)
    (tmp_path / "token").write_text("secret\n")
    told = main(
        [
            "walk",
            str(tmp_path / "home"),
            "--mount=/home",
            f"--post={portal.address}",
            f"--token-file={tmp_path / 'token'}",
            f"--spool={tmp_path / 'spool'}",
            f"--state={tmp_path / 'state'}",
        ]
    )
    assert told == 0
    [sample] = portal.taken
    assert (sample["name"], sample["mount"], sample["source"]) == ("alice", "/home", "walk")
    assert "the portal took 1 files" in capsys.readouterr().err


def test_options_that_need_each_other_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["walk", str(tmp_path), "--post=http://127.0.0.1:9"])
    assert "--post needs --token-file" in capsys.readouterr().err
