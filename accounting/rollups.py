"""Roll-ups of closed charges per UTC day and month, disposable: brought up to date, or built anew.

Whoever changes a closed charge appends a stale day in the same transaction. A refresh sums stale
days again and deletes in the same statement, hence under the same snapshot, exactly the stale rows
that it saw: a change that commits meanwhile leaves its own row behind and is summed next time. One
refresher works at a time; readers and writers of charges never wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from accounting.charges import CHARGES_OF_PAIRS, DAY_END, DAY_START
from accounting.kinds import KEY, KIND, NAMED_OF_SESSION, OF_SESSION, SESSION
from lsp_portal.lib import advisory
from sessions.usage import seconds, sums

LOCK = "roll-ups"
BATCH = 2000
SETTLING_DAYS = 7
"""Sessions that end change the days before; few are longer."""

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
    SELECT DISTINCT kind_id, {KIND} FROM sums ON CONFLICT DO NOTHING
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
), group_months_gone AS (
    DELETE FROM hub_sessions_groupmonth m USING pairs p
    WHERE m.month = date_trunc('month', p.day)::date
      AND coalesce(m.group_id, 0) = coalesce(p.group_id, 0)
), sums AS MATERIALIZED (
    SELECT *, {KEY} AS kind_id
    FROM (
        SELECT p.day, p.group_id, c.user_id, {NAMED_OF_SESSION}, {sums(DAY_SECONDS)}
        FROM pairs p {CHARGES_OF_PAIRS} {SESSION}
        GROUP BY p.day, p.group_id, c.user_id, {OF_SESSION}
    ) t
    WHERE {SOMETHING}
), kind_sums AS (
    SELECT * FROM (SELECT day, group_id, kind_id, {SUMMED} FROM sums GROUP BY 1, 2, 3) t
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
            SELECT FROM sums s
            WHERE s.day = r.day AND coalesce(s.group_id, 0) = coalesce(r.group_id, 0)
              AND coalesce(s.user_id, 0) = coalesce(r.user_id, 0) AND s.kind_id = r.kind_id))
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
    INSERT INTO accounting_userday (day, group_id, user_id, kind_id, {SUMS})
    SELECT day, group_id, user_id, kind_id, {SUMS} FROM sums
    ON CONFLICT (group_id, day, user_id, kind_id) DO UPDATE SET {EXCLUDED}
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

# The sums of all closed charges per day, group, person and kind of session, from scratch.
DAYS_OF_CHARGES = f"""
SELECT *, {KEY} AS kind_id FROM (
    SELECT c.day, c.group_id, c.user_id, {NAMED_OF_SESSION}, {sums("c.seconds")}
    FROM {CHARGES_BY_DAY} JOIN hub_sessions_session s ON s.number = c.session_id
    GROUP BY c.day, c.group_id, c.user_id, {OF_SESSION}
) t
WHERE {SOMETHING}
"""

FILL_USERS = f"""
WITH sums AS MATERIALIZED (
    {DAYS_OF_CHARGES}
), kinds_kept AS (
    {KEEP_KINDS}
)
INSERT INTO accounting_userday (day, group_id, user_id, kind_id, {SUMS})
SELECT day, group_id, user_id, kind_id, {SUMS} FROM sums
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
INSERT INTO accounting_kindday (day, group_id, kind_id, {SUMS})
SELECT * FROM (
    SELECT day, group_id, kind_id, {SUMMED} FROM accounting_userday GROUP BY day, group_id, kind_id
) t
WHERE {SOMETHING}
ORDER BY day
"""

# Months that wait to be summed, each from its first day until its last that has settled: once all
# these days are up to date. The newest days change all the time.
MONTHS_TO_SUM = f"""
SELECT month, until
FROM (SELECT min(day), max(day) - {SETTLING_DAYS} FROM accounting_groupday) d (first, last),
    generate_series(date_trunc('month', first), last - 1, interval '1 month') AS m,
    LATERAL (SELECT m::date, least(last, (m + interval '1 month')::date)) t (month, until)
WHERE NOT EXISTS (
    SELECT FROM accounting_summedmonth s WHERE s.month = t.month AND s.until >= t.until)
  AND NOT EXISTS (
    SELECT FROM hub_sessions_staleday s WHERE s.day >= t.month AND s.day < t.until)
"""


def _month_of(name: str, table: str, key: str, also: str = "") -> str:
    """SQL that leaves the sums of the month in the table, and touches only rows that change."""
    same = " AND ".join(
        f"s.{column} = t.{column}"
        if column == "kind_id"
        else f"coalesce(s.{column}, 0) = coalesce(t.{column}, 0)"
        for column in key.split(", ")
    )
    return f"""
    {name} AS MATERIALIZED (
        SELECT {key}, {SUMMED}{also and f", %(until)s::date AS {also}"} FROM sums GROUP BY {key}
    ), {name}_gone AS (
        DELETE FROM {table} t WHERE t.month = %(month)s
          AND NOT EXISTS (SELECT FROM {name} s WHERE {same})
    ), {name}_kept AS (
        INSERT INTO {table} (month, {key}, {SUMS}{also and f", {also}"})
        SELECT %(month)s::date, * FROM (
            SELECT * FROM {name}
            EXCEPT SELECT {key}, {SUMS}{also and f", {also}"} FROM {table} WHERE month = %(month)s
        ) t
        ORDER BY {key}
        ON CONFLICT (month, {key}) DO UPDATE SET {EXCLUDED}{also and f", {also} = excluded.{also}"}
    )"""


SUM_MONTH = f"""
WITH sums AS MATERIALIZED (
    SELECT group_id, user_id, kind_id, {SUMMED} FROM accounting_userday
    WHERE day >= %(month)s AND day < %(until)s
    GROUP BY group_id, user_id, kind_id
),
{_month_of("members", "accounting_membermonth", "group_id, user_id, kind_id")},
{_month_of("groups", "hub_sessions_groupmonth", "group_id", also="until")},
{_month_of("people", "accounting_usermonth", "user_id")},
{_month_of("kinds", "accounting_kindmonth", "group_id, kind_id")}
INSERT INTO accounting_summedmonth VALUES (%(month)s, %(until)s)
ON CONFLICT (month) DO UPDATE SET until = excluded.until
"""
ROLLUPS = (
    "hub_sessions_staleday", "accounting_userday", "accounting_groupday", "accounting_kindday",
    "accounting_kind", "accounting_summedmonth", "accounting_membermonth", "accounting_usermonth",
    "accounting_kindmonth", "hub_sessions_groupmonth",
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
        _sum_months(cursor)
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
        _sum_months(cursor)
        return Rebuilt(group_days=group_days, user_days=user_days)


def _refresh_batch() -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        advisory.lock(LOCK)
        cursor.execute(REFRESH, {"batch": BATCH})
        return int(cursor.fetchone()[0])


def _sum_months(cursor: CursorWrapper) -> None:
    cursor.execute(MONTHS_TO_SUM)
    for month, until in cursor.fetchall():
        cursor.execute(SUM_MONTH, {"month": month, "until": until})
