"""Writing the tables: five files, each whole or not at all, and what was refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db.models import F

from accounting.exports.files import appearing, make_directory
from accounting.exports.xdmod_tables.resource import Capacity, resource, specifications
from accounting.exports.xdmod_tables.rows import (
    GroupRow,
    group_row,
    group_to_hierarchy,
    hierarchy,
    person_row,
)
from accounting.exports.xdmod_tables.rules import refusal, write_rows
from accounts.models import Group, User
from sessions.models import Hub


@dataclass(slots=True)
class Tables:
    """What was written: people and groups, and the names that the receiver would spoil."""

    people: int = 0
    groups: int = 0
    refused: dict[str, str] = field(default_factory=dict)


def write_tables(hub: Hub, capacity: Capacity, *, directory: Path) -> Tables:
    """Write names, hierarchy and the description of the hub. Raises OSError."""
    make_directory(directory)
    written = Tables()
    groups = _groups(written)
    with appearing(directory / "names.csv") as out:
        write_rows(out, _names(groups, written))
    with appearing(directory / "hierarchy.csv") as out:
        write_rows(out, hierarchy(groups))
    with appearing(directory / "group-to-hierarchy.csv") as out:
        write_rows(out, group_to_hierarchy(groups))
    _write_json(directory / "resources.json", [resource(hub.name, hub.title)])
    _write_json(directory / "resource_specs.json", [specifications(hub.name, capacity)])
    return written


def _groups(written: Tables) -> list[GroupRow]:
    rows = Group.objects.order_by("name").values_list("name", "title", "kind", F("parent__name"))
    groups = [GroupRow(*row) for row in rows if not _refused(written, row[0], frozenset())]
    written.groups = len(groups)
    return groups


def _names(groups: list[GroupRow], written: Tables) -> Iterator[tuple[str, str, str]]:
    """People who ever could be charged, then groups; people come in chunks."""
    yield from map(group_row, groups)
    taken = frozenset(group.name for group in groups)
    people = User.objects.filter(registered_at__isnull=False).order_by("username")
    for name, first, last in people.values_list("username", "first_name", "last_name").iterator():
        if not _refused(written, name, taken):
            written.people += 1
            yield person_row(name, first, last)


def _refused(written: Tables, name: str, others: frozenset[str]) -> bool:
    reason = refusal(name, others)
    if reason:
        written.refused[name] = reason
    return reason is not None


def _write_json(path: Path, content: Any) -> None:
    with appearing(path) as out:
        out.write(json.dumps(content, indent=2).encode() + b"\n")
