"""How large the databases of each role of a PostgreSQL server are, for people and groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import psycopg2

from accounts.models import Group, User
from sessions.models import StorageSample
from sessions.storage.recording import Sample

TIMEOUT_SECONDS = 10

# A size is told to who may connect, and to members of pg_read_all_stats (PostgreSQL, 9.28.7).
BY_ROLE = """
SELECT r.rolname,
    coalesce(sum(CASE WHEN may.read THEN pg_database_size(d.oid) END), 0)::bigint,
    NOT bool_and(may.read)
FROM pg_database d
JOIN pg_roles r ON r.oid = d.datdba
CROSS JOIN LATERAL (SELECT has_database_privilege(d.oid, 'CONNECT')
    OR pg_has_role('pg_read_all_stats', 'USAGE') AS read) may
WHERE NOT d.datistemplate
GROUP BY 1
ORDER BY 1
"""


class MeasuringError(Exception):
    """The server cannot be asked; the text says why, without what is secret."""


@dataclass(frozen=True, slots=True)
class RoleSize:
    """Bytes of all databases that a role owns; not `complete` if some could not be read."""

    role: str
    used_bytes: int
    complete: bool


def sizes(dsn: str) -> list[RoleSize]:
    """What each role owns on the server of a connection string or URL of libpq.

    Raises MeasuringError.
    """
    try:
        with (
            closing(psycopg2.connect(dsn, connect_timeout=TIMEOUT_SECONDS)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(BY_ROLE)
            return [RoleSize(role, used, not missed) for role, used, missed in cursor]
    except psycopg2.OperationalError as error:
        raise MeasuringError(str(error).strip()) from error
    except psycopg2.ProgrammingError as error:
        # Its text would repeat the string, with the password.
        raise MeasuringError("it is no connection string of PostgreSQL.") from error


def samples(
    measured: Iterable[RoleSize], *, mount: str, at: datetime
) -> Iterator[tuple[RoleSize, Sample | str]]:
    """For each role the sample of the person or group of its name, or why there is none.

    No person has the name of a group.
    """
    rows = list(measured)
    names = [row.role for row in rows]
    people = set(User.objects.filter(username__in=names).values_list("username", flat=True))
    groups = set(Group.objects.filter(name__in=names).values_list("name", flat=True))
    for row in rows:
        if row.role in people or row.role in groups:
            yield row, _sample(row, "user" if row.role in people else "group", mount, at)
        else:
            yield row, "There is no person or group of this name."


def _sample(row: RoleSize, kind: str, mount: str, at: datetime) -> Sample:
    return Sample(
        kind=kind,
        name=row.role,
        mount=mount,
        taken_at=at,
        used_bytes=row.used_bytes,
        source=StorageSample.Source.DATABASE,
        stale=not row.complete,
    )
