"""The whole service by group or by person, page by page, with what each stores and may use.

One statement, hence one snapshot: sums, order, page and totals. However many groups and people
there are, a page takes some of them out of the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from accounting.parts import parts
from accounting.rollups import SOMETHING, SUMMED, SUMS
from accounting.usage import PERSON, Named, Window, named, parameters
from quotas.vocabulary import Usage
from sessions.storage.sums import BY_GROUP, BY_USER
from sessions.usage import usage


@dataclass(frozen=True, slots=True)
class Line:
    """A group or a person with its usage; without a name what belongs to none that is known.

    `storage` in bytes, None where it was never measured; `quota` in millicore-seconds, None
    without one.
    """

    named: Named | None
    usage: Usage
    storage: int | None
    quota: int | None = None


@dataclass(slots=True)
class Lines:
    """Those of a page, out of `count` that were searched for, and the sums of all of them."""

    total: Usage = field(default_factory=Usage)
    stored: int = 0
    quotas: int = 0
    count: int = 0
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is in the name or the title, and which page; `rows` None: all.

    Beyond the last page is the last.
    """

    search: str = ""
    page: int = 1
    rows: int | None = None


EVERYTHING = Wish()


def by_group(window: Window, quotas: Mapping[int, int], wish: Wish = EVERYTHING) -> Lines:
    """Every group with usage in the window, storage now, or one of these quotas, most use first."""
    return _lines(GROUPS, window, wish, quotas)


def by_user(window: Window, wish: Wish = EVERYTHING) -> Lines:
    """Every person with usage in the window, or with a home that was measured, most use first."""
    return _lines(PEOPLE, window, wish, {})


def _lines(statement: str, window: Window, wish: Wish, quotas: Mapping[int, int]) -> Lines:
    asked: dict[str, Any] = {
        # PostgreSQL takes no NUL in a string.
        "search": wish.search.strip().lower().replace("\0", ""),
        "page": wish.page,
        "rows": wish.rows,
        "owners": list(quotas),
        "quotas": list(quotas.values()),
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, {**parameters(window), **asked})
        totals, *rows = cursor.fetchall()
        return _found(totals, rows)


def _found(totals: tuple[Any, ...], rows: list[tuple[Any, ...]]) -> Lines:
    count, _, _, _, *sums, stored, quotas = totals
    found = Lines(usage(sums), int(stored or 0), int(quotas or 0), count)
    for _, pk, name, title, *used, bytes_stored, quota in rows:
        line = Line(named((pk, name, title)), usage(used), _integer(bytes_stored), _integer(quota))
        found.lines.append(line)
    return found


def _integer(value: Any) -> int | None:
    return None if value is None else int(value)


def _statement(owner: str, label: str, table: str, *, stored: str, months: str) -> str:
    return (
        parts(by_person=owner == "user", months=months)
        + f"""
, used AS (
    SELECT {owner}_id AS id, {SUMMED} FROM parts GROUP BY 1
), amounts AS (
    SELECT id, {SUMS}, NULL::bigint AS stored, NULL::bigint AS quota FROM used
    UNION ALL
    SELECT id, 0, 0, 0, stored, NULL FROM ({stored}) s (id, stored)
    UNION ALL
    SELECT id, 0, 0, 0, NULL, quota
    FROM unnest(%(owners)s::bigint[], %(quotas)s::bigint[]) q (id, quota)
), sums AS (
    SELECT id, {SUMMED}, max(stored) AS stored, max(quota) AS quota FROM amounts GROUP BY id
), lines AS MATERIALIZED (
    SELECT {label}, {SUMS}, stored, quota
    FROM sums LEFT JOIN {table} u ON u.id = sums.id
    WHERE {SOMETHING} OR stored IS NOT NULL OR quota IS NOT NULL
), found AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY millicore_seconds DESC, coalesce(name, '') COLLATE "C")
               AS place, *
    FROM lines
    WHERE %(search)s = '' OR strpos(lower(name || ' ' || title), %(search)s) > 0
), shown AS (
    SELECT least(%(page)s, ceil(count(*) / %(rows)s::float8)) * %(rows)s AS last FROM found
)
SELECT (SELECT count(*) FROM found), NULL, NULL, NULL,
       {", ".join(f"coalesce(sum({name}), 0)" for name in SUMS.split(", "))},
       sum(stored), sum(quota)
FROM lines
UNION ALL
(SELECT found.* FROM found, shown
 WHERE last IS NULL OR place > last - %(rows)s AND place <= last ORDER BY place)
"""
    )


GROUPS = _statement(
    "group",
    "u.id AS id, u.name AS name, u.title AS title",
    "accounts_group",
    stored=BY_GROUP,
    months="hub_sessions_groupmonth",
)
PEOPLE = _statement(
    "user",
    "{} AS id, {} AS name, {} AS title".format(*PERSON.split(", ", 2)),
    "accounts_user",
    stored=BY_USER,
    months="accounting_usermonth",
)
