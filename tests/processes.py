"""The portal's own programs as processes beside a test, on the test's database."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 20  # seconds that a process may take to end when it is asked to


def database_url() -> str:
    """The address of the database that the test uses."""
    connection.ensure_connection()
    info = connection.connection.info
    place = urlencode({"host": info.host, "port": info.port})
    return f"postgresql://{quote(info.user)}@/{quote(info.dbname)}?{place}"


def environment(home: Path, **more: str) -> dict[str, str]:
    """What such a process needs to know; `home` is its PORTAL_HOME."""
    known = {
        "DJANGO_SETTINGS_MODULE": "lsp_portal.settings",
        "DATABASE_URL": database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        "PORTAL_HOME": str(home),
    }
    return {**os.environ, **known, **more}


@contextmanager
def running(
    arguments: list[str], env: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m ARGUMENTS` until the block ends; what it says goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=ROOT, env=env, stdout=output, stderr=output
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
