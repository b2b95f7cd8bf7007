"""Sums over charges, days, people and groups are one sum."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from accounting import usage
from accounting.audit.checks import Check, DifferenceError
from accounting.rollups import DAYS_OF_CHARGES, SUMMED
from accounting.usage import Window
from quotas.vocabulary import Usage
from sessions.usage import EVER, WHOLE
from sessions.usage import usage as as_usage

USER_DAYS = f"""
WITH stale AS (SELECT DISTINCT day, group_id FROM hub_sessions_staleday)
SELECT coalesce(t.day, r.day)::text, coalesce(g.name, 'no group'), coalesce(u.username, 'nobody'),
       concat_ws(', ', h.name, k.image, k.size, k.institution),
       concat_ws(', ', t.millicore_seconds, t.mib_seconds, t.gpu_seconds),
       concat_ws(', ', r.millicore_seconds, r.mib_seconds, r.gpu_seconds)
FROM ({DAYS_OF_CHARGES}) t
FULL JOIN accounting_userday r
    ON r.day = t.day AND coalesce(r.group_id, 0) = coalesce(t.group_id, 0)
    AND coalesce(r.user_id, 0) = coalesce(t.user_id, 0) AND r.kind_id = t.kind_id
LEFT JOIN accounting_kind k ON k.id = coalesce(t.kind_id, r.kind_id)
LEFT JOIN hub_sessions_hub h ON h.id = k.hub_id
LEFT JOIN accounts_group g ON g.id = coalesce(t.group_id, r.group_id)
LEFT JOIN accounts_user u ON u.id = coalesce(t.user_id, r.user_id)
WHERE ((t.millicore_seconds, t.mib_seconds, t.gpu_seconds)
       IS DISTINCT FROM (r.millicore_seconds, r.mib_seconds, r.gpu_seconds)
    OR (k.hub_id, k.image, k.size, k.institution)
       IS DISTINCT FROM (t.hub_id, t.image, t.size, t.institution))
  AND NOT EXISTS (
      SELECT FROM stale s WHERE s.day = coalesce(t.day, r.day)
        AND coalesce(s.group_id, 0) = coalesce(t.group_id, r.group_id, 0))
ORDER BY 1, 2, 3, 4 LIMIT 1
"""

GROUP_DAYS = """
SELECT coalesce(t.day, r.day)::text, coalesce(g.name, 'no group'),
       concat_ws(', ', t.millicore_seconds, t.mib_seconds, t.gpu_seconds),
       concat_ws(', ', r.millicore_seconds, r.mib_seconds, r.gpu_seconds)
FROM (
    SELECT day, group_id, sum(millicore_seconds) AS millicore_seconds,
           sum(mib_seconds) AS mib_seconds, sum(gpu_seconds) AS gpu_seconds
    FROM accounting_userday GROUP BY day, group_id
) t
FULL JOIN accounting_groupday r
    ON r.day = t.day AND coalesce(r.group_id, 0) = coalesce(t.group_id, 0)
LEFT JOIN accounts_group g ON g.id = coalesce(t.group_id, r.group_id)
WHERE (coalesce(t.millicore_seconds, 0), coalesce(t.mib_seconds, 0), coalesce(t.gpu_seconds, 0))
   <> (coalesce(r.millicore_seconds, 0), coalesce(r.mib_seconds, 0), coalesce(r.gpu_seconds, 0))
ORDER BY 1, 2 LIMIT 1
"""

KIND_DAYS = f"""
SELECT coalesce(t.day, r.day)::text, coalesce(g.name, 'no group'),
       coalesce(t.kind_id, r.kind_id)::text,
       concat_ws(', ', t.millicore_seconds, t.mib_seconds, t.gpu_seconds),
       concat_ws(', ', r.millicore_seconds, r.mib_seconds, r.gpu_seconds)
FROM (
    SELECT day, group_id, kind_id, {SUMMED} FROM accounting_userday GROUP BY day, group_id, kind_id
) t
FULL JOIN accounting_kindday r
    ON r.day = t.day AND coalesce(r.group_id, 0) = coalesce(t.group_id, 0)
    AND r.kind_id = t.kind_id
LEFT JOIN accounts_group g ON g.id = coalesce(t.group_id, r.group_id)
WHERE (coalesce(t.millicore_seconds, 0), coalesce(t.mib_seconds, 0), coalesce(t.gpu_seconds, 0))
   <> (coalesce(r.millicore_seconds, 0), coalesce(r.mib_seconds, 0), coalesce(r.gpu_seconds, 0))
ORDER BY 1, 2, 3 LIMIT 1
"""


def _months(table: str, *keys: str) -> str:
    """SQL that compares a roll-up of months that count with the days of the same keys."""
    key = ", ".join(keys)
    same = " AND ".join(
        f"r.{name} = t.{name}"
        if name == "kind_id"
        else f"coalesce(r.{name}, 0) = coalesce(t.{name}, 0)"
        for name in keys
    )
    group = "coalesce(t.group_id, r.group_id)" if "group_id" in keys else "0"
    user = "coalesce(t.user_id, r.user_id)" if "user_id" in keys else "0"
    kind = "coalesce(t.kind_id, r.kind_id)" if "kind_id" in keys else "NULL"
    return f"""
    SELECT coalesce(t.month, r.month)::text, concat_ws(', ', g.name, u.username, {kind}),
           concat_ws(', ', t.millicore_seconds, t.mib_seconds, t.gpu_seconds),
           concat_ws(', ', r.millicore_seconds, r.mib_seconds, r.gpu_seconds)
    FROM (
        SELECT m.month, {key}, {SUMMED}
        FROM accounting_summedmonth m JOIN accounting_userday d
            ON d.day >= m.month AND d.day < m.until
        GROUP BY m.month, {key}
    ) t
    FULL JOIN (SELECT r.* FROM {table} r JOIN accounting_summedmonth USING (month)) r
        ON r.month = t.month AND {same}
    LEFT JOIN accounts_group g ON g.id = {group}
    LEFT JOIN accounts_user u ON u.id = {user}
    WHERE (t.millicore_seconds, t.mib_seconds, t.gpu_seconds)
          IS DISTINCT FROM (r.millicore_seconds, r.mib_seconds, r.gpu_seconds)
    ORDER BY 1, 2 LIMIT 1
    """


# Launches are counted with each month of a group that is there, whether or not the month is summed
# for everybody.
GROUP_MONTHS = f"""
SELECT r.month::text, coalesce(g.name, 'no group'),
       concat_ws(', ', t.millicore_seconds, t.mib_seconds, t.gpu_seconds),
       concat_ws(', ', r.millicore_seconds, r.mib_seconds, r.gpu_seconds)
FROM hub_sessions_groupmonth r
LEFT JOIN (
    SELECT m.month, m.group_id, {SUMMED.replace("sum(", "sum(d.")}
    FROM hub_sessions_groupmonth m JOIN accounting_groupday d
        ON d.day >= m.month AND d.day < m.until
        AND coalesce(d.group_id, 0) = coalesce(m.group_id, 0)
    GROUP BY m.month, m.group_id
) t ON t.month = r.month AND coalesce(t.group_id, 0) = coalesce(r.group_id, 0)
LEFT JOIN accounts_group g ON g.id = r.group_id
WHERE (coalesce(t.millicore_seconds, 0), coalesce(t.mib_seconds, 0), coalesce(t.gpu_seconds, 0))
   <> (r.millicore_seconds, r.mib_seconds, r.gpu_seconds)
ORDER BY 1, 2 LIMIT 1
"""

MONTHS = {
    "groups": GROUP_MONTHS,
    "groups together": _months("hub_sessions_groupmonth", "group_id"),
    "people": _months("accounting_usermonth", "user_id"),
    "people in groups": _months("accounting_membermonth", "group_id", "user_id", "kind_id"),
    "kinds": _months("accounting_kindmonth", "group_id", "kind_id"),
}
MONTH_SENTENCE = "{0}, {1}: days make {2} millicore-, MiB- and GPU-seconds, the roll-up has {3}"

CHECKS = (
    Check(
        "days of people are the sum of their charges",
        USER_DAYS,
        "{0}, {1}, {2}, {3}: charges make {4} millicore-, MiB- and GPU-seconds,"
        " the roll-up has {5}",
    ),
    Check(
        "days of groups are the sum of those of people",
        GROUP_DAYS,
        "{0}, {1}: people make {2} millicore-, MiB- and GPU-seconds, the roll-up has {3}",
    ),
    Check(
        "days of kinds are the sum of those of people",
        KIND_DAYS,
        "{0}, {1}, {2}: people make {3} millicore-, MiB- and GPU-seconds, the roll-up has {4}",
    ),
    *(
        Check(f"months of {whose} are the sum of their days", statement, MONTH_SENTENCE)
        for whose, statement in MONTHS.items()
    ),
)

TOTAL = f"SELECT count(*), {WHOLE} FROM hub_sessions_charge c"


def _shown(window: Window) -> dict[str, Usage]:
    """The same sum as pages and files come to it."""
    return {
        "everything": usage.total(window),
        "days": sum((row.usage for row in usage.by_day(window)), Usage()),
        "people": sum((row.usage for row in usage.by_user(window)), Usage()),
        "groups": sum((row.usage for row in usage.by_group(window)), Usage()),
    }


def charged(*, at: datetime) -> tuple[int, Usage]:
    """The number of charges and their sum; DifferenceError where pages come to another."""
    with connection.cursor() as cursor:
        cursor.execute(TOTAL, {"at": at})
        count, *sums = cursor.fetchone()
    total = as_usage(sums)
    for name, shown in _shown(Window(*EVER, at)).items():
        if shown != total:
            raise DifferenceError(
                f"Not so: the sum over {name} is that over charges. {shown} is not {total}."
            )
    return count, total
