"""Roll-ups of closed charges per UTC day and month, disposable: brought up to date, or built anew.

Whoever changes a closed charge appends a stale day in the same transaction. A refresh sums stale
days again and deletes in the same statement, hence under the same snapshot, exactly the stale rows
that it saw: a change that commits meanwhile leaves its own row behind and is summed next time. One
refresher works at a time; readers and writers of charges never wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection, transaction

from accounting.charges import CHARGES_OF_PAIRS, DAY_END, DAY_START
from accounting.kinds import KEY, KIND, NAMED_OF_SESSION, OF_SESSION, SESSION
from lsp_portal.lib import advisory
from sessions.usage import seconds, sums

LOCK = "roll-ups"
BATCH = 2000
ROOM = "SET LOCAL work_mem = '128MB'"  # to sum and sort millions of rows without temporary files

SUMS = "millicore_seconds, mib_seconds, gpu_seconds"
SUMMED = ", ".join(f"sum({name}) AS {name}" for name in SUMS.split(", "))
EXCLUDED = ", ".join(f"{name} = excluded.{name}" for name in SUMS.split(", "))
SOMETHING = " OR ".join(f"{name} <> 0" for name in SUMS.split(", "))
DAY_SECONDS = seconds(DAY_START, DAY_END, at="c.ended_at")


def _of_pairs(table: str) -> str:
    """SQL for the rows `r` of a roll-up table in the pairs `p`; by index for the null group too."""
    return f"""
        pairs p CROSS JOIN LATERAL (
            SELECT * FROM {table} WHERE group_id = p.group_id AND day = p.day
            UNION ALL
            SELECT * FROM {table} WHERE p.group_id IS NULL AND group_id IS NULL AND day = p.day
        ) r
    """


KEEP_KINDS = f"""
    INSERT INTO accounting_kind (id, {KIND})
    SELECT DISTINCT kind_id, {KIND} FROM kind_sums ON CONFLICT DO NOTHING
"""

REFRESH = f"""
WITH pairs AS MATERIALIZED (
    SELECT day, group_id FROM hub_sessions_staleday
    GROUP BY day, group_id ORDER BY day DESC, group_id LIMIT %(batch)s
), seen AS (
    DELETE FROM hub_sessions_staleday s USING pairs p
    WHERE s.day = p.day AND coalesce(s.group_id, 0) = coalesce(p.group_id, 0)
), months_gone AS (
    DELETE FROM accounting_summedmonth
    WHERE month IN (SELECT date_trunc('month', day)::date FROM pairs)
), sums AS MATERIALIZED (
    SELECT p.day, p.group_id, c.user_id, {NAMED_OF_SESSION}, {sums(DAY_SECONDS)}
    FROM pairs p {CHARGES_OF_PAIRS} {SESSION}
    GROUP BY p.day, p.group_id, c.user_id, {OF_SESSION}
), user_sums AS (
    SELECT * FROM (SELECT day, group_id, user_id, {SUMMED} FROM sums GROUP BY 1, 2, 3) t
    WHERE {SOMETHING}
), kind_sums AS MATERIALIZED (
    SELECT *, {KEY} AS kind_id
    FROM (SELECT day, group_id, {KIND}, {SUMMED} FROM sums GROUP BY day, group_id, {KIND}) t
    WHERE {SOMETHING}
), kinds_kept AS (
    {KEEP_KINDS}
), group_sums AS (
    SELECT * FROM (SELECT day, group_id, {SUMMED} FROM sums GROUP BY day, group_id) t
    WHERE {SOMETHING}
), user_gone AS (
    DELETE FROM accounting_userday WHERE id IN (
        SELECT r.id FROM {_of_pairs("accounting_userday")}
        WHERE NOT EXISTS (
            SELECT FROM user_sums s
            WHERE s.day = r.day AND coalesce(s.group_id, 0) = coalesce(r.group_id, 0)
              AND coalesce(s.user_id, 0) = coalesce(r.user_id, 0)))
), group_gone AS (
    DELETE FROM accounting_groupday WHERE id IN (
        SELECT r.id FROM {_of_pairs("accounting_groupday")}
        WHERE NOT EXISTS (
            SELECT FROM group_sums s
            WHERE s.day = r.day AND coalesce(s.group_id, 0) = coalesce(r.group_id, 0)))
), kind_gone AS (
    DELETE FROM accounting_kindday WHERE id IN (
        SELECT r.id FROM {_of_pairs("accounting_kindday")}
        WHERE NOT EXISTS (
            SELECT FROM kind_sums s
            WHERE s.day = r.day AND coalesce(s.group_id, 0) = coalesce(r.group_id, 0)
              AND s.kind_id = r.kind_id))
), kind_kept AS (
    INSERT INTO accounting_kindday (day, group_id, kind_id, {SUMS})
    SELECT day, group_id, kind_id, {SUMS} FROM kind_sums
    ON CONFLICT (group_id, day, kind_id) DO UPDATE SET {EXCLUDED}
), user_kept AS (
    INSERT INTO accounting_userday (day, group_id, user_id, {SUMS})
    SELECT day, group_id, user_id, {SUMS} FROM user_sums
    ON CONFLICT (group_id, day, user_id) DO UPDATE SET {EXCLUDED}
), group_kept AS (
    INSERT INTO accounting_groupday (day, group_id, {SUMS})
    SELECT day, group_id, {SUMS} FROM group_sums
    ON CONFLICT (group_id, day) DO UPDATE SET {EXCLUDED}
)
SELECT count(*) FROM pairs
"""

FIRST_DAY = "(c.started_at AT TIME ZONE 'UTC')::date"
LAST_DAY = "((c.ended_at - interval '1 microsecond') AT TIME ZONE 'UTC')::date"

# All closed charges `c`, each with the days that it touches and its seconds of them. Most charges
# lie within a day and need not be cut.
CHARGES_BY_DAY = f"""
(
    SELECT {FIRST_DAY} AS day, c.*,
           {seconds("c.started_at", "c.ended_at", at="c.ended_at")} AS seconds
    FROM hub_sessions_charge c
    WHERE c.ended_at > c.started_at AND {FIRST_DAY} = {LAST_DAY}
    UNION ALL
    SELECT p.day, c.*, {DAY_SECONDS}
    FROM hub_sessions_charge c
    CROSS JOIN LATERAL (
        SELECT {FIRST_DAY} + n AS day FROM generate_series(0, {LAST_DAY} - {FIRST_DAY}) AS n
    ) p
    WHERE c.ended_at > c.started_at AND {FIRST_DAY} <> {LAST_DAY}
) c
"""

# The sums of all closed charges per day, group and person, from scratch; and per kind of session.
DAYS_OF_CHARGES = f"""
SELECT * FROM (
    SELECT c.day, c.group_id, c.user_id, {sums("c.seconds")} FROM {CHARGES_BY_DAY}
    GROUP BY c.day, c.group_id, c.user_id
) t
WHERE {SOMETHING}
"""
KINDS_OF_CHARGES = f"""
SELECT *, {KEY} AS kind_id FROM (
    SELECT c.day, c.group_id, {NAMED_OF_SESSION}, {sums("c.seconds")}
    FROM {CHARGES_BY_DAY} JOIN hub_sessions_session s ON s.number = c.session_id
    GROUP BY c.day, c.group_id, {OF_SESSION}
) t
WHERE {SOMETHING}
"""

FILL_USERS = f"""
INSERT INTO accounting_userday (day, group_id, user_id, {SUMS})
{DAYS_OF_CHARGES}
ORDER BY day
"""

FILL_GROUPS = f"""
INSERT INTO accounting_groupday (day, group_id, {SUMS})
SELECT * FROM (
    SELECT day, group_id, {SUMMED} FROM accounting_userday GROUP BY day, group_id
) t
WHERE {SOMETHING}
ORDER BY day
"""

FILL_KINDS = f"""
WITH kind_sums AS MATERIALIZED (
    {KINDS_OF_CHARGES}
), kinds_kept AS (
    {KEEP_KINDS}
)
INSERT INTO accounting_kindday (day, group_id, kind_id, {SUMS})
SELECT day, group_id, kind_id, {SUMS} FROM kind_sums
ORDER BY day
"""

# Months before the newest, once all their days are up to date. The newest changes all the time.
FILL_MONTHS = f"""
WITH months AS MATERIALIZED (
    SELECT m::date AS month, (m + interval '1 month')::date AS next
    FROM (SELECT min(day), max(day) FROM accounting_groupday) d, generate_series(
        date_trunc('month', d.min), date_trunc('month', d.max) - interval '1 day',
        interval '1 month') AS m
    WHERE NOT EXISTS (SELECT FROM accounting_summedmonth s WHERE s.month = m::date)
      AND NOT EXISTS (
        SELECT FROM hub_sessions_staleday s
        WHERE s.day >= m::date AND s.day < (m + interval '1 month')::date)
), sums AS (
    SELECT m.month, t.* FROM months m CROSS JOIN LATERAL (
        SELECT user_id, {SUMMED} FROM accounting_userday
        WHERE day >= m.month AND day < m.next GROUP BY user_id OFFSET 0
    ) t
), gone AS (
    DELETE FROM accounting_usermonth u USING months m
    WHERE u.month = m.month AND NOT EXISTS (
        SELECT FROM sums s
        WHERE s.month = u.month AND coalesce(s.user_id, 0) = coalesce(u.user_id, 0))
), kept AS (
    INSERT INTO accounting_usermonth (month, user_id, {SUMS})
    SELECT month, user_id, {SUMS} FROM sums
    ON CONFLICT (month, user_id) DO UPDATE SET {EXCLUDED}
), kind_sums AS (
    SELECT m.month, t.* FROM months m CROSS JOIN LATERAL (
        SELECT group_id, kind_id, {SUMMED} FROM accounting_kindday
        WHERE day >= m.month AND day < m.next GROUP BY group_id, kind_id OFFSET 0
    ) t
), kinds_gone AS (
    DELETE FROM accounting_kindmonth k USING months m
    WHERE k.month = m.month AND NOT EXISTS (
        SELECT FROM kind_sums s
        WHERE s.month = k.month AND coalesce(s.group_id, 0) = coalesce(k.group_id, 0)
          AND s.kind_id = k.kind_id)
), kinds_kept AS (
    INSERT INTO accounting_kindmonth (month, group_id, kind_id, {SUMS})
    SELECT month, group_id, kind_id, {SUMS} FROM kind_sums
    ON CONFLICT (group_id, month, kind_id) DO UPDATE SET {EXCLUDED}
)
INSERT INTO accounting_summedmonth SELECT month FROM months
"""
ROLLUPS = (
    "hub_sessions_staleday", "accounting_userday", "accounting_groupday", "accounting_usermonth",
    "accounting_kindday", "accounting_kindmonth", "accounting_kind", "accounting_summedmonth",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many rows the roll-ups have."""

    group_days: int
    user_days: int


def refresh() -> int:
    """Sum every stale day again, a transaction for each batch; the number of group-days done.

    Months follow, once their days are done.
    """
    done = 0
    while batch := _refresh_batch():
        done += batch
    with transaction.atomic(), connection.cursor() as cursor:
        advisory.lock(LOCK)
        cursor.execute(FILL_MONTHS)
    return done


def refresh_unless_busy() -> int:
    """The same, but leave the work to a refresher or a rebuild that is already at it."""
    with transaction.atomic():
        if not advisory.try_lock(LOCK):
            return 0
    return refresh()


def rebuild() -> Rebuilt:
    """Sum all closed charges from scratch; until it commits, readers see the old sums."""
    with transaction.atomic(), connection.cursor() as cursor:
        advisory.lock(LOCK)
        cursor.execute(ROOM)
        for table in ROLLUPS:
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute(FILL_USERS)
        user_days = cursor.rowcount
        cursor.execute(FILL_GROUPS)
        group_days = cursor.rowcount
        cursor.execute(FILL_KINDS)
        cursor.execute(FILL_MONTHS)
        return Rebuilt(group_days=group_days, user_days=user_days)


def _refresh_batch() -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        advisory.lock(LOCK)
        cursor.execute(REFRESH, {"batch": BATCH})
        return int(cursor.fetchone()[0])
