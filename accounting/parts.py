"""What a window holds, in parts: roll-ups of clean days, charges of the others, running charges.

SQL for `accounting.usage` and `accounting.group_usage`, which sum the parts in the same statement,
hence under one snapshot. `sessions.usage` has the formula.
"""

from __future__ import annotations

from accounting.charges import CHARGES_OF_PAIRS, DAY_END, DAY_START
from sessions.usage import amounts


def parts(
    *,
    by_person: bool,
    of_group: bool = False,
    of_groups: bool = False,
    of_user: bool = False,
    by_month: bool = False,
) -> str:
    """The beginning of a statement, with the parts as `parts` (day, group_id, sums).

    `of_group` narrows to the parameter `group`, `of_groups` to those in the array `groups`.
    `by_person` adds user_id, and `by_month` takes whole months where it may; both days and groups
    are lost by that.
    """
    in_group = "AND {0}.group_id = %(group)s " if of_group else ""
    in_group += "AND {0}.group_id = ANY(%(groups)s) " if of_groups else ""
    in_user = "AND {0}.user_id = %(user)s" if of_user else ""
    people = ", {0}.user_id" if by_person else ""
    statement = PARTS.replace("{rollup_rows}", MONTHS_AND_DAYS if by_month else DAYS)
    return statement.format(
        rollup="accounting_userday" if by_person else "accounting_groupday",
        stale_filter=in_group.format("s"),
        rollup_filter=(in_group + in_user).format("r"),
        charge_filter=(in_group + in_user).format("c"),
        rollup_user=people.format("r"),
        charge_user=people.format("c"),
        amounts=amounts(f"greatest(%(start)s, {DAY_START})", f"least(%(end)s, {DAY_END})"),
        charges_of_pairs=CHARGES_OF_PAIRS,
    )


CLEAN = """
NOT EXISTS (SELECT FROM pairs p
            WHERE p.day = r.day AND coalesce(p.group_id, 0) = coalesce(r.group_id, 0))
"""

DAYS = f"""
    SELECT r.day, r.group_id{{rollup_user}}, r.millicore_seconds, r.mib_seconds, r.gpu_seconds
    FROM {{rollup}} r
    WHERE r.day >= %(full_from)s AND r.day < %(full_to)s {{rollup_filter}} AND {CLEAN}
"""

# Summed months that lie within the window and have no stale day, and the days between them.
MONTHS = """
    SELECT m.month, (m.month + interval '1 month')::date AS next
    FROM accounting_summedmonth m
    WHERE m.month >= %(full_from)s AND m.month + interval '1 month' <= %(full_to)s
      AND NOT EXISTS (SELECT FROM pairs p
                      WHERE p.day >= m.month AND p.day < m.month + interval '1 month')
"""
MONTHS_AND_DAYS = f"""
    SELECT r.month AS day, NULL::bigint AS group_id, r.user_id,
           r.millicore_seconds, r.mib_seconds, r.gpu_seconds
    FROM ({MONTHS}) m JOIN accounting_usermonth r ON r.month = m.month
    UNION ALL
    SELECT r.* FROM (
        SELECT lag(next, 1, %(full_from)s) OVER (ORDER BY month) AS first, month AS next
        FROM ({MONTHS} UNION ALL SELECT %(full_to)s, NULL) m
    ) gap CROSS JOIN LATERAL (
        SELECT r.day, r.group_id, r.user_id, r.millicore_seconds, r.mib_seconds, r.gpu_seconds
        FROM accounting_userday r
        WHERE r.day >= gap.first AND r.day < gap.next AND {CLEAN}
        OFFSET 0
    ) r
    WHERE gap.first < gap.next
"""

PARTS = """
WITH pairs AS (
    SELECT s.day, s.group_id FROM hub_sessions_staleday s
    WHERE s.day >= %(first_day)s AND s.day <= %(last_day)s {stale_filter}
    UNION
    SELECT r.day, r.group_id FROM {rollup} r
    WHERE r.day = ANY(%(cut_days)s::date[]) {rollup_filter}
), parts AS (
    {rollup_rows}
    UNION ALL
    SELECT p.day, p.group_id{charge_user}, {amounts}
    FROM pairs p {charges_of_pairs}
    WHERE true {charge_filter}
    GROUP BY p.day, p.group_id{charge_user}
    UNION ALL
    SELECT p.day, c.group_id{charge_user}, {amounts}
    FROM hub_sessions_charge c
    CROSS JOIN LATERAL (
        SELECT generate_series(
            date_trunc('day', greatest(c.started_at, %(start)s), 'UTC'),
            least(%(at)s, %(end)s) - interval '1 microsecond',
            interval '1 day')::date AS day
    ) p
    WHERE c.ended_at IS NULL {charge_filter}
    GROUP BY p.day, c.group_id{charge_user}
)
"""
