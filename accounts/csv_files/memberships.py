"""Memberships as rows: who is what in which group, from when to when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from accounts.audit import change_rows, create_rows
from accounts.csv_files.plans import Plan
from accounts.csv_files.table import Row, Table
from accounts.models import Group, Membership, User

KEY = "user"
COLUMNS = (
    KEY, "group", "role", "valid_from", "valid_to", "rights", "ceiling", "synced",
)  # fmt: skip
CHANGEABLE = ("valid_to", "rights", "ceiling")
END_OF_TIME = datetime.max.replace(tzinfo=UTC)

Held = dict[tuple[str, str], list[Membership]]


def plan(table: Table, *, above_staff: bool, at: datetime) -> Plan:
    """What the file would do to memberships that people made; those from claims stay alone.

    A row without `valid_from` means the membership in force, or a new one from now on.
    """
    people, groups, held = _people(table), _groups(table), _held(table)
    found = Plan("memberships")
    new: list[Membership] = []
    changes: dict[int, dict[str, Any]] = {}
    for row in table.rows:
        if row.yes("synced", False):
            found.left_alone += 1
            continue
        values = _values(row, table.columns)
        _check(row, people, groups, values)
        if not row.problems:
            _place(row, values, people, groups, held, new, changes, at)
        found.problems += row.problems
    found.new, found.changed = len(new), len(changes)
    found.unchanged = len(table.rows) - found.left_alone - len(new) - len(changes)
    rows = [m for mine in held.values() for m in mine if m.pk in changes]
    found.apply = lambda: _apply(new, rows, changes)
    return found


def rows() -> Iterator[list[str]]:
    """Every membership, those that ended too."""
    everything = Membership.objects.select_related("user", "group").order_by("pk")
    for membership in everything.iterator(chunk_size=2000):
        manages = membership.role == Membership.Role.MANAGER
        yield [
            membership.user.username,
            membership.group.name,
            membership.role,
            membership.valid_from.isoformat(),
            membership.valid_to.isoformat() if membership.valid_to else "",
            " ".join(membership.rights) if manages else "",
            "" if membership.ceiling is None else str(membership.ceiling),
            "yes" if membership.synced else "no",
        ]


def _people(table: Table) -> dict[str, User]:
    names = {row.text(KEY) for row in table.rows}
    return {user.username: user for user in User.objects.filter(username__in=names)}


def _groups(table: Table) -> dict[str, Group]:
    """Locked, so that nobody else adds the same member meanwhile."""
    names = {row.text("group") for row in table.rows}
    found = Group.objects.select_for_update(no_key=True).filter(name__in=names).order_by("pk")
    return {group.name: group for group in found}


def _held(table: Table) -> Held:
    names = {row.text("group") for row in table.rows}
    made = Membership.objects.filter(group__name__in=names, synced=False)
    held: Held = defaultdict(list)
    for membership in made.select_related("user", "group"):
        held[membership.user.username, membership.group.name].append(membership)
    return held


def _values(row: Row, columns: tuple[str, ...]) -> dict[str, Any]:
    role = row.choice("role", Membership.Role.values, Membership.Role.MEMBER)
    values: dict[str, Any] = {"role": role, "valid_from": row.moment("valid_from")}
    if "valid_to" in columns:
        values["valid_to"] = row.moment("valid_to")
    if row.text("rights"):
        values["rights"] = _rights(row)
    if "ceiling" in columns:
        values["ceiling"] = row.number("ceiling")
    return values


def _rights(row: Row) -> list[str]:
    words = row.text("rights").lower().split()
    if set(words) - set(Membership.Right.values):
        row.wrong("rights", f"Use words among {', '.join(Membership.Right.values)}.")
    return words


def _check(
    row: Row, people: dict[str, User], groups: dict[str, Group], values: dict[str, Any]
) -> None:
    if row.text(KEY) not in people:
        row.wrong(KEY, "There is no such person. Import people first.")
    if row.text("group") not in groups:
        row.wrong("group", "There is no such group. Import groups first.")
    begins, ends = values["valid_from"], values.get("valid_to")
    if begins and ends and ends < begins:
        row.wrong("valid_to", "The end must not be before the beginning.")


def _place(
    row: Row,
    values: dict[str, Any],
    people: dict[str, User],
    groups: dict[str, Group],
    held: Held,
    new: list[Membership],
    changes: dict[int, dict[str, Any]],
    at: datetime,
) -> None:
    """The row as a change of the membership that it means, or as a new one."""
    mine = held[row.text(KEY), row.text("group")]
    same = _same(mine, values, at)
    if same is None:
        made = _new(people[row.text(KEY)], groups[row.text("group")], values, at)
        _note_overlap(row, made, mine)
        mine.append(made)
        new.append(made)
        return
    wanted = {name: values[name] for name in CHANGEABLE if name in values}
    different = {name: v for name, v in wanted.items() if getattr(same, name) != v}
    if same._state.adding or same.pk in changes:
        row.wrong(KEY, "An earlier line has this membership already.")
    elif different:
        changes[same.pk] = different
        _note_overlap(row, _copy(same, different), [m for m in mine if m is not same])


def _same(mine: list[Membership], values: dict[str, Any], at: datetime) -> Membership | None:
    begins = values["valid_from"]
    for membership in mine:
        here = membership.valid_from == begins if begins else membership.is_valid(at=at)
        if here and membership.role == values["role"]:
            return membership
    return None


def _new(user: User, group: Group, values: dict[str, Any], at: datetime) -> Membership:
    given = {name: value for name, value in values.items() if name != "valid_from"}
    return Membership(user=user, group=group, valid_from=values["valid_from"] or at, **given)


def _copy(membership: Membership, different: dict[str, Any]) -> Membership:
    ends = different.get("valid_to", membership.valid_to)
    return Membership(role=membership.role, valid_from=membership.valid_from, valid_to=ends)


def _note_overlap(row: Row, membership: Membership, others: list[Membership]) -> None:
    begins, ends = membership.valid_from, membership.valid_to or END_OF_TIME
    if ends < begins:
        row.wrong("valid_to", f"It begins at {begins:%Y-%m-%dT%H:%M:%SZ}, after this end.")
    for other in others:
        if begins < (other.valid_to or END_OF_TIME) and other.valid_from < ends:
            until = f"{other.valid_to:%Y-%m-%d}" if other.valid_to else "further notice"
            row.wrong(
                "role",
                f"The person is {other.get_role_display()} of the group from "
                f"{other.valid_from:%Y-%m-%d} until {until}: end that first.",
            )


def _apply(
    new: list[Membership], rows: list[Membership], changes: dict[int, dict[str, Any]]
) -> None:
    def change(membership: Membership) -> None:
        for name, value in changes[membership.pk].items():
            setattr(membership, name, value)

    change_rows(rows, change, *CHANGEABLE)
    create_rows(new)
