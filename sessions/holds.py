"""What a group has used and holds, and how many servers a person has at a hub."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from lsp_portal.lib.prepared import Prepared
from quotas.admission import Balance, Load
from sessions.catalogue import GroupChoice, Person
from sessions.models import Hub
from sessions.usage import used_by, used_by_person

HOLDING = "ended_at IS NULL AND (ready_at IS NOT NULL OR lease_until > %(at)s)"
"""`SessionQuerySet.holding` in SQL: pending within its lease, or running."""

NO_LOAD = Load()

# The Dask cluster `k` of a session `s`, one at most, and what both may take at once.
DASK = """LEFT JOIN hub_sessions_daskcluster k
    ON k.session_id = s.number AND k.cleaned_at IS NULL AND k.desired = 'running'"""
RATE = "(s.cpu_millicores + coalesce(k.most::bigint * k.cpu_millicores, 0))"

# A full row lock would block every insert that refers to the row. People before groups, always.
LOCK_PERSON = "SELECT FROM accounts_user WHERE id = %(user)s FOR NO KEY UPDATE;"
LOCK_GROUP = "SELECT FROM accounts_group WHERE id = %(group)s FOR NO KEY UPDATE;"

STANDING = Prepared(
    "launch_standing",
    f"""
    SELECT used.millicore_seconds::bigint,
        (SELECT coalesce(sum(held.millicores * h.lease_seconds), 0)::bigint FROM (
            SELECT s.hub_id, sum({RATE}) AS millicores FROM (
                SELECT * FROM hub_sessions_session
                WHERE group_id = %(group)s AND ended_at IS NULL AND ready_at IS NOT NULL
                UNION ALL
                SELECT * FROM hub_sessions_session
                WHERE group_id = %(group)s AND ended_at IS NULL AND ready_at IS NULL
                    AND lease_until > %(at)s
            ) s {DASK}
            WHERE (s.hub_id, s.key) IS DISTINCT FROM (%(hub)s, %(key)s)
            GROUP BY s.hub_id
        ) held JOIN hub_sessions_hub h ON h.id = held.hub_id),
        CASE WHEN %(counted)s THEN (SELECT count(DISTINCT s.seat) FROM hub_sessions_session s
            WHERE s.user_id = %(user)s AND s.hub_id = %(hub)s AND {HOLDING}
                AND s.seat IS DISTINCT FROM %(seat)s) ELSE 0 END
    FROM ({used_by("%(group)s")}) used
    """,
    group="bigint",
    start="timestamptz",
    end="timestamptz",
    at="timestamptz",
    user="bigint",
    hub="bigint",
    key="uuid",
    seat="uuid",
    counted="boolean",
)


LOAD = Prepared(
    "launch_load",
    f"""
    SELECT used.millicore_seconds::bigint, held.*
    FROM ({used_by_person("%(group)s", "%(user)s")}) used, (
        SELECT coalesce(sum({RATE} * h.lease_seconds) FILTER (
                WHERE s.user_id = %(user)s), 0)::bigint,
            count(DISTINCT (s.hub_id, s.seat)) FILTER (WHERE s.user_id = %(user)s AND elsewhere),
            count(DISTINCT (s.hub_id, s.seat)) FILTER (WHERE elsewhere),
            coalesce(sum(s.gpus) FILTER (WHERE elsewhere), 0)::bigint
        FROM hub_sessions_session s JOIN hub_sessions_hub h ON h.id = s.hub_id {DASK}
        CROSS JOIN LATERAL (
            SELECT (s.hub_id, s.seat) IS DISTINCT FROM (%(hub)s, %(seat)s) AS elsewhere
        ) place
        WHERE s.group_id = %(group)s AND (s.hub_id, s.key) IS DISTINCT FROM (%(hub)s, %(key)s)
            AND s.ended_at IS NULL AND (s.ready_at IS NOT NULL OR s.lease_until > %(at)s)
    ) held
    """,
    group="bigint",
    start="timestamptz",
    end="timestamptz",
    at="timestamptz",
    user="bigint",
    hub="bigint",
    key="uuid",
    seat="uuid",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person and a group stand at a moment.

    `servers` counts the places at the hub where the person has a pending or running session,
    if the hub has a limit for them. `load` is known of groups with caps.
    """

    balance: Balance
    servers: int
    load: Load = NO_LOAD


def standing(
    hub: Hub,
    person: Person,
    group: GroupChoice,
    *,
    at: datetime,
    session: UUID | None = None,
    seat: UUID | None = None,
    lock: bool = False,
) -> Standing:
    """How they stand, apart from this session's own hold and this seat's own server.

    With `lock` (in a transaction) nobody else can change it by a launch until the transaction ends.
    """
    start, end = group.period or (at, at)
    values = {
        "group": group.id,
        "start": start,
        "end": end,
        "at": at,
        "user": person.id,
        "hub": hub.pk,
        "key": session and str(session),
        "seat": seat and str(seat),
        "counted": hub.max_sessions_per_user is not None,
    }
    row = STANDING.one(values, first=_locks(hub) if lock else "")
    used, held, servers = row or (0, 0, 0)
    load = _load(values) if group.caps else NO_LOAD
    return Standing(Balance(used, held, group.limits), servers, load)


def _load(values: dict[str, Any]) -> Load:
    """The lock of the group, where it is held, covers this as well."""
    row = LOAD.one({name: value for name, value in values.items() if name != "counted"})
    return Load(*row) if row else NO_LOAD


def _locks(hub: Hub) -> str:
    """Only a limit of servers makes launches of one person wait for each other."""
    return LOCK_GROUP if hub.max_sessions_per_user is None else LOCK_PERSON + LOCK_GROUP
