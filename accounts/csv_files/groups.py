"""Groups as rows: `name`, `title` and the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from accounts.audit import change_rows, create_rows
from accounts.csv_files.plans import Plan, check_fields, note_twice
from accounts.csv_files.table import Row, Table
from accounts.models import Group, Name

KEY = "name"
COLUMNS = (KEY, "title", "kind", "parent", "description", "opens_at", "closed_at")
PLAIN = ("title", "description")


def plan(table: Table, *, above_staff: bool, at: datetime) -> Plan:
    """What the file would do to groups. A parent may stand in the file, in whatever order."""
    known = {g.name: g for g in Group.objects.select_for_update(of=("self",))}
    parents = {g.name: g.parent_id for g in known.values()}
    names = {g.pk: g.name for g in known.values()}
    above = {name: names.get(parent or 0, "") for name, parent in parents.items()}
    taken = _taken(table)
    note_twice(table.rows, KEY)
    if "parent" in table.columns:
        above |= {row.text(KEY): row.text("parent") for row in table.rows}
    found, wanted = Plan("groups"), {}
    new: list[str] = []
    changed: list[str] = []
    for row in table.rows:
        name, values = row.text(KEY), _values(row, table.columns)
        _check(row, known.get(name), values, taken, above)
        wanted[name] = values
        if name not in known:
            new.append(name)
        elif _differs(known[name], values, above.get(name, ""), names):
            changed.append(name)
        found.problems += row.problems
    found.new, found.changed = len(new), len(changed)
    found.unchanged = len(table.rows) - len(new) - len(changed)
    found.apply = lambda: _apply(known, wanted, new, changed, above)
    return found


def rows() -> Iterator[list[str]]:
    """Every group."""
    for group in Group.objects.select_related("parent").order_by("name").iterator(chunk_size=2000):
        yield [
            group.name,
            group.title,
            group.kind,
            group.parent.name if group.parent else "",
            group.description,
            group.opens_at.isoformat() if group.opens_at else "",
            group.closed_at.isoformat() if group.closed_at else "",
        ]


def _taken(table: Table) -> dict[str, str]:
    names = {row.text(KEY) for row in table.rows}
    return dict(Name.objects.filter(name__in=names).values_list("name", "kind"))


def _values(row: Row, columns: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {name: row.text(name) for name in PLAIN if name in columns}
    if "kind" in columns:
        values["kind"] = row.choice("kind", Group.Kind.values, Group.Kind.CAMPAIGN)
    for name in ("opens_at", "closed_at"):
        if name in columns:
            values[name] = row.moment(name)
    return values


def _check(
    row: Row,
    group: Group | None,
    values: dict[str, Any],
    taken: dict[str, str],
    above: dict[str, str],
) -> None:
    name = row.text(KEY)
    if group is None and name in taken:
        kind = Name.Kind(taken[name]).label
        row.wrong(KEY, f"This is or was the name of a {kind}; names are never given twice.")
    if group is None and "title" not in values:
        row.wrong("title", "A new group needs a title.")
    if "kind" not in [problem.column for problem in row.problems]:
        check_fields(row, Group(name=name, **values), (KEY, *values))
    _check_dates(row, group, values)
    _check_parent(row, name, above)


def _check_dates(row: Row, group: Group | None, values: dict[str, Any]) -> None:
    opens = values.get("opens_at", group.opens_at if group else None)
    closes = values.get("closed_at", group.closed_at if group else None)
    if opens and closes and closes < opens:
        row.wrong("closed_at", "The group must not close before it opens.")


def _check_parent(row: Row, name: str, above: dict[str, str]) -> None:
    parent = row.text("parent")
    if parent and parent not in above:
        row.wrong("parent", "There is no such group, neither here nor in the file.")
    seen: set[str] = set()
    while parent and parent != name and parent not in seen:
        seen.add(parent)
        parent = above.get(parent, "")
    if parent and parent == name:
        row.wrong("parent", "A group cannot be a part of itself.")


def _differs(group: Group, values: dict[str, Any], parent: str, names: dict[int, str]) -> bool:
    moved = names.get(group.parent_id or 0, "") != parent
    return moved or any(getattr(group, name) != value for name, value in values.items())


def _apply(
    known: dict[str, Group],
    wanted: dict[str, dict[str, Any]],
    new: list[str],
    changed: list[str],
    above: dict[str, str],
) -> None:
    made = create_rows([Group(name=name, **wanted[name]) for name in new])
    groups = known | {group.name: group for group in made}

    def change(group: Group) -> None:
        for name, value in wanted[group.name].items():
            setattr(group, name, value)
        group.parent = groups.get(above.get(group.name, ""))

    rows = [groups[name] for name in (*new, *changed)]
    change_rows(rows, change, "title", "kind", "parent", "description", "opens_at", "closed_at")
