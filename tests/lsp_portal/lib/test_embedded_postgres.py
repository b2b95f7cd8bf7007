"""The embedded server: started by the first, joined by the others, stopped by the last."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

PROGRAM = """
import pathlib, sys
from lsp_portal.lib import embedded_postgres
import psycopg2
address = embedded_postgres.join(pathlib.Path(sys.argv[1]))
connection = psycopg2.connect(address.url)
print(connection.info.dbname, flush=True)
for line in sys.stdin:
    address = embedded_postgres.join(pathlib.Path(sys.argv[1]))
    print(psycopg2.connect(address.url).info.dbname, flush=True)
"""


class User:
    """A process that uses the server until it is told to go."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def database(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def connect_again(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("again\n")
        self.process.stdin.flush()

    def leave(self) -> None:
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0

    def die(self) -> None:
        self.process.kill()
        self.process.communicate()


def _server(folder: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int((folder / "postmaster.pid").read_text().splitlines()[0]))
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


@pytest.fixture
def folder() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="lsp-pg-"))
    yield home / "postgres"
    server = _server(home / "postgres")
    if server is not None:
        server.send_signal(signal.SIGQUIT)
        server.wait(20)
    shutil.rmtree(home)


def test_processes_that_start_at_once_share_one_server(folder: Path) -> None:
    users = [User(folder) for _ in range(3)]
    assert [user.database() for user in users] == ["lsp_portal"] * 3
    for user in users[:-1]:
        user.leave()
        assert _server(folder) is not None
    users[-1].leave()
    assert _server(folder) is None


def test_a_killed_process_hinders_neither_the_next_start_nor_the_last_stop(folder: Path) -> None:
    killed = User(folder)
    killed.database()
    killed.die()
    survivor = _server(folder)
    assert survivor is not None
    user = User(folder)
    assert user.database() == "lsp_portal"
    assert _server(folder) == survivor
    user.leave()
    assert _server(folder) is None


def test_a_killed_server_starts_again(folder: Path) -> None:
    first = User(folder)
    first.database()
    server = _server(folder)
    assert server is not None
    server.kill()
    server.wait(20)
    first.die()
    second = User(folder)
    assert second.database() == "lsp_portal"
    second.leave()


def test_a_killed_server_starts_again_for_those_who_use_it(folder: Path) -> None:
    users = [User(folder) for _ in range(2)]
    assert [user.database() for user in users] == ["lsp_portal"] * 2
    server = _server(folder)
    assert server is not None
    server.kill()
    server.wait(20)
    for user in users:
        user.connect_again()
    assert [user.database() for user in users] == ["lsp_portal"] * 2
    for user in users:
        user.leave()
    assert _server(folder) is None


def test_a_stale_pid_of_another_program_is_not_taken_for_the_server(folder: Path) -> None:
    first = User(folder)
    first.database()
    lines = (folder / "postmaster.pid").read_text().splitlines()
    first.leave()
    (folder / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    second = User(folder)
    assert second.database() == "lsp_portal"
    second.leave()
