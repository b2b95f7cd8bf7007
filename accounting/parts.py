"""What a window holds, in parts: roll-ups of clean months and days, charges of the other days,
running charges.

SQL for `accounting.usage` and `accounting.group_usage`, which sum the parts in the same statement,
hence under one snapshot. `sessions.usage` has the formula.
"""

from __future__ import annotations

import re

from accounting.charges import CHARGES_OF_PAIRS, DAY_END, DAY_START
from sessions.usage import amounts


def parts(
    *,
    by_person: bool,
    of_group: bool = False,
    of_groups: bool = False,
    of_user: bool = False,
    months: str = "",
) -> str:
    """The beginning of a statement, with the parts as `parts` (day, group_id, sums).

    `of_group` narrows to the parameter `group`, `of_groups` to those in the array `groups`.
    `by_person` adds user_id. `months` is a roll-up of months to take where it may; days are lost
    by that, and what the table does not tell apart is null.
    """
    in_group = " AND {0}.group_id = %(group)s" if of_group else ""
    in_group += " AND {0}.group_id = ANY(%(groups)s)" if of_groups else ""
    of_whom = in_group + (" AND {0}.user_id = %(user)s" if of_user else "")
    names = {
        "days": "accounting_userday" if by_person else "accounting_groupday",
        "months": months,
        "stale_filter": in_group.format("s"),
        "rollup_filter": of_whom.format("r"),
        "charge_filter": of_whom.format("c"),
        "rollup_user": ", r.user_id" if by_person else "",
        "charge_user": ", c.user_id" if by_person else "",
        "month_group": "NULL::bigint" if months == "accounting_usermonth" else "r.group_id",
    }
    rows = MONTHS_AND_DAYS if months else CLEAN_DAYS
    return (LIVE + ROLLED_UP.replace("{rows}", rows)).format(**names)


def months_by(*, group: bool, person: bool) -> str:
    """The smallest roll-up of months that tells groups or people apart."""
    if person:
        return "accounting_membermonth" if group else "accounting_usermonth"
    return "hub_sessions_groupmonth"


# Sums of a day fit the columns of the roll-ups, whose type is quicker to add up than numeric.
AMOUNTS = re.sub(
    " AS ",
    "::bigint AS ",
    amounts(f"greatest(%(start)s, {DAY_START})", f"least(%(end)s, {DAY_END})"),
)

# What roll-ups do not tell: the days of groups that are stale or cut by the window, and what runs.
LIVE = f"""
WITH pairs AS MATERIALIZED (
    SELECT s.day, s.group_id FROM hub_sessions_staleday s
    WHERE s.day >= %(first_day)s AND s.day <= %(last_day)s {{stale_filter}}
    UNION
    SELECT r.day, r.group_id FROM {{days}} r
    WHERE r.day = ANY(%(cut_days)s::date[]) {{rollup_filter}}
), live AS (
    SELECT p.day, p.group_id{{charge_user}}, {AMOUNTS}
    FROM pairs p {CHARGES_OF_PAIRS}
    WHERE true {{charge_filter}}
    GROUP BY p.day, p.group_id{{charge_user}}
    UNION ALL
    SELECT p.day, c.group_id{{charge_user}}, {AMOUNTS}
    FROM hub_sessions_charge c
    CROSS JOIN LATERAL (
        SELECT generate_series(
            date_trunc('day', greatest(c.started_at, %(start)s), 'UTC'),
            least(%(at)s, %(end)s) - interval '1 microsecond',
            interval '1 day')::date AS day
    ) p
    WHERE c.ended_at IS NULL {{charge_filter}}
    GROUP BY p.day, c.group_id{{charge_user}}
)
"""
ROLLED_UP = """
, parts AS (
    {rows}
    UNION ALL
    SELECT * FROM live
)
"""

# Whether the row `r` of a roll-up of days counts.
CLEAN = """
NOT EXISTS (SELECT FROM pairs p
            WHERE p.day = r.day AND coalesce(p.group_id, 0) = coalesce(r.group_id, 0))
"""
CLEAN_DAYS = f"""
    SELECT r.day, r.group_id{{rollup_user}}, r.millicore_seconds, r.mib_seconds, r.gpu_seconds
    FROM {{days}} r
    WHERE r.day >= %(full_from)s AND r.day < %(full_to)s {{rollup_filter}} AND {CLEAN}
"""

# Months, as far as they are summed, that lie within the window and have no stale day, and the days
# between them. Month by month, and stretch by stretch, because each is a small part of its table.
WHOLE_MONTHS = """
    SELECT m.month, m.until FROM accounting_summedmonth m
    WHERE m.month >= %(full_from)s AND m.until <= %(full_to)s
      AND NOT EXISTS (SELECT FROM pairs p WHERE p.day >= m.month AND p.day < m.until)
"""
MONTHS_AND_DAYS = f"""
    SELECT r.* FROM ({WHOLE_MONTHS}) m CROSS JOIN LATERAL (
        SELECT r.month AS day, {{month_group}} AS group_id{{rollup_user}},
               r.millicore_seconds, r.mib_seconds, r.gpu_seconds
        FROM {{months}} r
        WHERE r.month = m.month {{rollup_filter}}
        OFFSET 0
    ) r
    UNION ALL
    SELECT r.* FROM (
        SELECT lag(until, 1, %(full_from)s) OVER (ORDER BY month) AS first, month AS next
        FROM ({WHOLE_MONTHS} UNION ALL SELECT %(full_to)s, NULL) m
    ) gap CROSS JOIN LATERAL (
        {CLEAN_DAYS} AND r.day >= gap.first AND r.day < gap.next
        OFFSET 0
    ) r
    WHERE gap.first < gap.next
"""
