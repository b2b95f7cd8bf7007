"""The SQL of a report: its rows from one statement, hence from one snapshot.

What can be answered by group and person comes from the parts of `accounting.parts`; what asks for
kinds of sessions as well from the roll-ups that tell kinds apart, made of the same parts.
"""

from __future__ import annotations

from accounting.charges import CHARGES_OF_PAIRS, DAY_END, DAY_START
from accounting.kinds import KIND, NAMED_OF_SESSION, OF_SESSION, SESSION
from accounting.parts import CLEAN, WHOLE_MONTHS, months_by, parts
from accounting.reports.wish import KINDS, Wish
from accounting.rollups import SOMETHING, SUMMED, SUMS
from accounting.usage import PERSON
from sessions.usage import amounts

COLUMNS = {
    "group": "group_id", "user": "user_id", "hub": "hub_id",
    "image": "image", "size": "size", "institution": "institution",
}  # fmt: skip

# Name and title of each, and where they stand.
LABELS = {
    "group": ("g.name", "g.title", "LEFT JOIN accounts_group g ON g.id = r.group_id"),
    "user": (
        "u.username", PERSON.split(", ", 2)[2], "LEFT JOIN accounts_user u ON u.id = r.user_id",
    ),
    "hub": ("h.name", "h.title", "LEFT JOIN hub_sessions_hub h ON h.id = r.hub_id"),
    "image": (
        "r.image", "coalesce(i.title, r.image)",
        "LEFT JOIN hub_sessions_image i ON i.name = r.image",
    ),
    "size": (
        "r.size", "coalesce(z.title, r.size)", "LEFT JOIN hub_sessions_size z ON z.name = r.size",
    ),
    "institution": ("r.institution", "r.institution", ""),
}  # fmt: skip

KIND_PARTS = f"""
WITH pairs AS MATERIALIZED (
    SELECT s.day, s.group_id FROM hub_sessions_staleday s
    WHERE s.day >= %(first_day)s AND s.day <= %(last_day)s {{stale_filter}}
    UNION
    SELECT r.day, r.group_id FROM {{days}} r
    WHERE r.day = ANY(%(cut_days)s::date[]) {{rollup_filter}}
), months AS MATERIALIZED (
    {WHOLE_MONTHS}
), rolled AS (
    SELECT r.* FROM months m CROSS JOIN LATERAL (
        SELECT r.group_id{{rollup_user}}, r.kind_id, {SUMS} FROM {{months}} r
        WHERE r.month = m.month {{rollup_filter}}
        OFFSET 0
    ) r
    UNION ALL
    SELECT r.* FROM (
        SELECT lag(until, 1, %(full_from)s) OVER (ORDER BY month) AS first, month AS next
        FROM (SELECT * FROM months UNION ALL SELECT %(full_to)s, NULL) m
    ) gap CROSS JOIN LATERAL (
        SELECT r.group_id{{rollup_user}}, r.kind_id, {SUMS} FROM {{days}} r
        WHERE r.day >= gap.first AND r.day < gap.next {{rollup_filter}} AND {CLEAN}
        OFFSET 0
    ) r
    WHERE gap.first < gap.next
), parts AS (
    SELECT {{names}}, {KIND}, {SUMS}
    FROM (SELECT {{keys}}, kind_id, {SUMMED} FROM rolled GROUP BY {{places}}) r
    JOIN accounting_kind k ON k.id = r.kind_id
    UNION ALL
    SELECT p.group_id{{charge_user}}, {NAMED_OF_SESSION},
           {amounts(f"greatest(%(start)s, {DAY_START})", f"least(%(end)s, {DAY_END})")}
    FROM pairs p {CHARGES_OF_PAIRS} {SESSION}
    WHERE true {{charge_filter}}
    GROUP BY p.group_id{{charge_user}}, {OF_SESSION}
    UNION ALL
    SELECT c.group_id{{charge_user}}, {NAMED_OF_SESSION}, {amounts("%(start)s", "%(end)s")}
    FROM hub_sessions_charge c {SESSION}
    WHERE c.ended_at IS NULL AND c.started_at < %(end)s {{charge_filter}}
    GROUP BY c.group_id{{charge_user}}, {OF_SESSION}
)
"""

ROWS = f"""
, summed AS (
    SELECT {{columns}} {SUMMED} FROM parts WHERE {{kinds}} {{grouping}}
), rows AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY {{order}}) AS place, {{labels}} {SUMS}
    FROM summed r {{joins}} WHERE {SOMETHING}
)
"""


def rows(wish: Wish, *, order: str) -> str:
    """The beginning of a statement with `rows`: place, name and title of each dimension, sums.

    `order` is a dimension, or `core_hours`, with a minus for the other way round.
    """
    columns = ", ".join(COLUMNS[name] for name in wish.by)
    conditions = [f"{COLUMNS[name]} = %({name})s" for name in wish.kinds]
    found = _parts(wish) + ROWS.format(
        columns=f"{columns}, " if columns else "",
        grouping=f"GROUP BY {columns}" if columns else "",
        kinds=" AND ".join(conditions) or "true",
        labels="".join(
            f"{LABELS[name][0]} AS name_{place}, {LABELS[name][1]} AS title_{place}, "
            for place, name in enumerate(wish.by)
        ),
        joins=" ".join(LABELS[name][2] for name in wish.by),
        order=_order(wish, order),
    )
    return found


def _parts(wish: Wish) -> str:
    of_groups, of_user = wish.groups is not None, wish.user is not None
    if not wish.asks_kinds:
        return parts(
            by_person=wish.asks_people,
            of_groups=of_groups,
            of_user=of_user,
            months=months_by(group=of_groups or "group" in wish.by, person=wish.asks_people),
        )
    by_person = wish.asks_people
    in_group = " AND {0}.group_id = ANY(%(groups)s)" if of_groups else ""
    of_whom = in_group + (" AND {0}.user_id = %(user)s" if of_user else "")
    keys = {"group_id": "group" in wish.by} | ({"user_id": "user" in wish.by} if by_person else {})
    kinds = " AND ".join(f"{COLUMNS[name]} = %({name})s" for name in wish.kinds)
    of_kind = f" AND {{0}}.kind_id IN (SELECT id FROM accounting_kind WHERE {kinds})"
    return KIND_PARTS.format(
        days="accounting_userday" if by_person else "accounting_kindday",
        months="accounting_membermonth" if by_person else "accounting_kindmonth",
        stale_filter=in_group.format("s"),
        rollup_filter=(of_whom + (of_kind if kinds else "")).format("r"),
        charge_filter=of_whom.format("c"),
        keys=", ".join(
            name if is_told else f"NULL::bigint AS {name}" for name, is_told in keys.items()
        ),
        names=", ".join(keys),
        places="1, 2, 3" if by_person else "1, 2",
        rollup_user=", r.user_id" if by_person else "",
        charge_user=", c.user_id" if by_person else "",
    )


def _order(wish: Wish, order: str) -> str:
    names = [f'{LABELS[name][0]} COLLATE "C"' for name in wish.by]
    down = "DESC NULLS LAST" if order.startswith("-") else "ASC"
    wanted = order.lstrip("-")
    if wanted in wish.by:
        first = f'{LABELS[wanted][0]} COLLATE "C" {down}'
    else:
        first = f"millicore_seconds {down}"
    return ", ".join([first, *names])


def parameters(wish: Wish) -> dict[str, object]:
    """What the statement is given beside the window."""
    return {
        "groups": None if wish.groups is None else list(wish.groups),
        "user": wish.user,
        **{name: wish.kinds[name] for name in KINDS if name in wish.kinds},
    }
