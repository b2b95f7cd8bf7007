"""Databases on a real server are storage of whoever owns them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg2.extensions import make_dsn
from psycopg2.sql import SQL, Identifier

from accounts.models import User
from sessions.models import StorageSample
from tests import factories

pytestmark = pytest.mark.django_db


def dsn(**values: Any) -> str:
    """The server of the tests."""
    known = connection.get_connection_params()
    given = {name: known.get(name) for name in ("user", "password", "host", "port")}
    return str(make_dsn(**{**given, "dbname": "postgres", **values}))


@contextmanager
def server() -> Iterator[Any]:
    """Another connection, outside of every transaction."""
    with closing(psycopg2.connect(dsn())) as other:
        other.autocommit = True
        with other.cursor() as cursor:
            yield cursor


@pytest.fixture
def name() -> str:
    """One that no other run of the tests has on the server."""
    own = re.sub(r"[^a-z0-9]+", "-", str(connection.settings_dict["NAME"]).lower())
    return f"m-{own[-24:].strip('-')}"


@pytest.fixture
def owned(name: str) -> Iterator[str]:
    """A role that owns a database of its own name."""
    with server() as cursor:
        drop(cursor, name)
        cursor.execute(SQL("CREATE ROLE {}").format(Identifier(name)))
        cursor.execute(SQL("CREATE DATABASE {0} OWNER {0}").format(Identifier(name)))
        yield name
        drop(cursor, name)


def drop(cursor: Any, name: str) -> None:
    cursor.execute(SQL("DROP DATABASE IF EXISTS {}").format(Identifier(name)))
    cursor.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(name)))


def measure(folder: Path, text: str) -> str:
    file, said = folder / "dsn", io.StringIO()
    file.write_text(f"{text}\n")
    call_command("measure_databases", dsn_file=file, mount="catalogues", stdout=said)
    return said.getvalue()


def test_a_database_is_storage_of_the_person_whose_role_owns_it(owned: str, tmp_path: Path) -> None:
    person = factories.user(owned)

    said = measure(tmp_path, dsn())

    assert "1 accepted, 0 duplicates." in said
    assert "postgres: There is no person or group of this name." in said
    sample = StorageSample.objects.get()
    with server() as cursor:
        cursor.execute("SELECT pg_database_size(%s)", [owned])
        (size,) = cursor.fetchone()
    assert (sample.user, sample.mount, sample.source) == (person, "catalogues", "database")
    assert (sample.used_bytes, sample.is_stale) == (size, False)


def test_a_database_of_a_group_is_that_of_the_group(owned: str, tmp_path: Path) -> None:
    group = factories.group(owned)
    measure(tmp_path, dsn())

    assert StorageSample.objects.get().group == group


def test_a_database_that_may_not_be_read_makes_the_sample_stale(
    owned: str, name: str, tmp_path: Path
) -> None:
    factories.user(owned)
    reader = f"{name}-r"
    with server() as cursor:
        cursor.execute(SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(Identifier(owned)))
        cursor.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(reader)))
        cursor.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(reader)))
        try:
            measure(tmp_path, dsn(user=reader))
            stale = StorageSample.objects.get()
            cursor.execute(SQL("GRANT pg_monitor TO {}").format(Identifier(reader)))
            StorageSample.objects.all().delete()
            measure(tmp_path, dsn(user=reader))
        finally:
            cursor.execute(SQL("DROP ROLE {}").format(Identifier(reader)))

    assert (stale.used_bytes, stale.is_stale) == (0, True)
    assert StorageSample.objects.get().is_stale is False


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("host=127.0.0.1 port=1", "refused"),
        ("my secret", "it is no connection string of PostgreSQL."),
    ],
)
def test_a_server_that_cannot_be_asked_is_told_without_secrets(
    text: str, why: str, tmp_path: Path, alice: User
) -> None:
    with pytest.raises(CommandError, match=why) as caught:
        measure(tmp_path, text)

    assert "secret" not in str(caught.value)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no-such"):
        call_command("measure_databases", dsn_file=tmp_path / "no-such", mount="catalogues")
