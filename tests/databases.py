"""Test databases are copies of one that was migrated before, while the migrations are the same."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command
from django.db import OperationalError, connection

ROOT = Path(__file__).parents[1]
PREFIX = "lsp_portal_migrated_"
KEPT = 6  # of other states of the migrations


def migrated_template() -> str:
    """The name of a database with all migrations, made where there is none yet."""
    name = PREFIX + _state()
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [PREFIX])
        if name not in _known(cursor):
            _make(cursor, name)
    return name


def _state() -> str:
    """A digest of everything that migrations follow from."""
    files = [*ROOT.glob("*/migrations/*.py"), *ROOT.glob("sessions/hub/sql/*.sql")]
    digest = hashlib.sha256(django.__version__.encode())
    for path in [*sorted(files), ROOT / "requirements.txt"]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _make(cursor: Any, name: str) -> None:
    unfinished = f"{name}_new"
    _drop(cursor, unfinished)
    cursor.execute(f'CREATE DATABASE "{unfinished}"')
    _migrate(unfinished)
    cursor.execute(f'ALTER DATABASE "{unfinished}" RENAME TO "{name}"')
    for old in _known(cursor)[:-KEPT]:
        _drop(cursor, old)


def _migrate(name: str) -> None:
    usual = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = usual


def _known(cursor: Any) -> list[str]:
    """The databases that are there to be copied, the oldest first."""
    cursor.execute(
        "SELECT datname FROM pg_database WHERE datname LIKE %s ORDER BY oid", [f"{PREFIX}%"]
    )
    return [name for (name,) in cursor.fetchall() if not name.endswith("_new")]


def _drop(cursor: Any, name: str) -> None:
    try:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
    except OperationalError:
        return  # somebody is copying it
