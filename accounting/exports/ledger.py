"""The whole ledger as one table of CSV for analysts: every charge, with what its session tells.

The database renders and sends it in pieces under one snapshot, so memory does not grow with it.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from accounting.exports.files import appearing, make_directory

# Who a person is, within one dump: the salt is forgotten with it.
PSEUDONYM = "'person-' || left(encode(sha256(convert_to({salt} || u.id, 'UTF8')), 'hex'), 16)"

DUMP = """
COPY (
    SELECT c.id AS charge, c.session_id AS session, s.key AS session_key, h.name AS hub,
           {person} AS "user", g.name AS "group", c.origin, c.sign,
           to_char(c.started_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS started_at,
           to_char(c.ended_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS ended_at,
           c.cpu_millicores, c.memory_mib, c.gpus,
           c.sign * date_part('epoch', c.ended_at - c.started_at)::bigint * c.cpu_millicores
               AS millicore_seconds,
           c.sign * date_part('epoch', c.ended_at - c.started_at)::bigint * c.memory_mib
               AS mib_seconds,
           c.sign * date_part('epoch', c.ended_at - c.started_at)::bigint * c.gpus AS gpu_seconds,
           s.image, s.size, s.end_reason
    FROM hub_sessions_charge c
    JOIN hub_sessions_session s ON s.number = c.session_id
    JOIN hub_sessions_hub h ON h.id = s.hub_id
    LEFT JOIN accounts_user u ON u.id = c.user_id
    LEFT JOIN accounts_group g ON g.id = c.group_id
) TO STDOUT (FORMAT csv, HEADER)
"""


def dump(path: Path, *, has_names: bool) -> int:
    """Write the ledger to the path, whole or not at all; how many charges. Raises OSError."""
    make_directory(path.parent)
    with appearing(path) as out, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL timezone = 'UTC'")
        cursor.cursor.copy_expert(DUMP.format(person=_person(cursor, has_names=has_names)), out)
        return int(cursor.rowcount)


def _person(cursor: Any, *, has_names: bool) -> str:
    """The column of people; COPY takes no parameters."""
    if has_names:
        return "u.username"
    return PSEUDONYM.format(salt=cursor.mogrify("%s", [secrets.token_hex()]).decode())
