"""People as rows: `username` and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from accounts.audit import change_rows, create_rows
from accounts.csv_files.plans import Plan, check_fields, note_twice
from accounts.csv_files.table import Row, Table
from accounts.models import Name, User

KEY = "username"
COLUMNS = (KEY, "first_name", "last_name", "email", "is_active", "expires_at")


def plan(table: Table, *, above_staff: bool, at: datetime) -> Plan:
    """What the file would do to people; `above_staff`: whether it may change administrators."""
    names = {row.text(KEY) for row in table.rows}
    known = {u.username: u for u in User.objects.select_for_update().filter(username__in=names)}
    taken = dict(Name.objects.filter(name__in=names).values_list("name", "kind"))
    note_twice(table.rows, KEY)
    found = Plan("users")
    new: list[User] = []
    changes: dict[int, dict[str, Any]] = {}
    for row in table.rows:
        user, values = known.get(row.text(KEY)), _values(row, table.columns)
        _check(row, user, values, taken, above_staff)
        if user is None:
            new.append(_new(values, at))
        elif any(getattr(user, name) != value for name, value in values.items()):
            changes[user.pk] = values
        found.problems += row.problems
    found.new, found.changed = len(new), len(changes)
    found.unchanged = len(table.rows) - len(new) - len(changes)
    people = [user for user in known.values() if user.pk in changes]
    fields = [name for name in COLUMNS[1:] if name in table.columns]
    found.apply = lambda: _apply(new, people, changes, fields)
    return found


def rows() -> Iterator[list[str]]:
    """Everybody."""
    people = User.objects.order_by("username")
    for user in people.iterator(chunk_size=2000):
        ends = user.expires_at.isoformat() if user.expires_at else ""
        active = "yes" if user.is_active else "no"
        yield [user.username, user.first_name, user.last_name, user.email, active, ends]


def _values(row: Row, columns: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: row.text(name)
        for name in (KEY, "first_name", "last_name", "email")
        if name in columns
    }
    if "is_active" in columns:
        values["is_active"] = row.yes("is_active", True)
    if "expires_at" in columns:
        values["expires_at"] = row.moment("expires_at")
    return values


def _check(
    row: Row, user: User | None, values: dict[str, Any], taken: dict[str, str], above_staff: bool
) -> None:
    check_fields(row, User(**values), tuple(values))
    name = row.text(KEY)
    if user is None and name in taken:
        kind = Name.Kind(taken[name]).label
        row.wrong(KEY, f"This is or was the name of a {kind}; names are never given twice.")
    if user is not None and not above_staff and (user.is_staff or user.is_superuser):
        row.wrong(KEY, "Only superusers change administrators.")
    endless = "expires_at" in values and values["expires_at"] is None
    if user is not None and user.kind != User.Kind.PERSON and endless:
        row.wrong("expires_at", "Guests and shared accounts need an end.")


def _new(values: dict[str, Any], at: datetime) -> User:
    user = User(**values, registered_at=at)
    user.set_unusable_password()
    return user


def _apply(
    new: list[User], people: list[User], changes: dict[int, dict[str, Any]], fields: list[str]
) -> None:
    def change(user: User) -> None:
        for name, value in changes[user.pk].items():
            setattr(user, name, value)

    create_rows(new)
    change_rows(people, change, *fields)
