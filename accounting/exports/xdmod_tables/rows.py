"""The rows of `names.csv`, `hierarchy.csv` and `group-to-hierarchy.csv`, pure.

The receiver's hierarchy has exactly three levels. The portal's groups may be parts of groups to
any depth, so the levels are: the kind of group; the group at the top; the group itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from accounting.exports.xdmod_tables.rules import label

KINDS = {"campaign": "Science campaigns", "workshop": "Workshops", "service": "Services"}


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group with what the hierarchy needs of it; `parent` is the name of the group above."""

    name: str
    title: str
    kind: str
    parent: str | None


def person_row(name: str, first: str, last: str) -> tuple[str, str, str]:
    """A line of `names.csv` for a person; without a last name the user name stands for it."""
    return name, label(first, otherwise=""), label(last, otherwise=name)


def group_row(group: GroupRow) -> tuple[str, str, str]:
    """A line of `names.csv` for a group, which the receiver takes for a person without first name.

    Its label is the whole title.
    """
    return group.name, "", _label(group)


def hierarchy(groups: Iterable[GroupRow]) -> Iterator[tuple[str, str, str]]:
    """`key,label,parent`, parents first."""
    by_name = {group.name: group for group in groups}
    tops = {name: top(group, by_name) for name, group in sorted(by_name.items())}
    at_the_top = sorted(set(tops.values()), key=attrgetter("name"))
    for kind in sorted({group.kind for group in at_the_top}):
        yield f"kind-{kind}", KINDS[kind], ""
    for group in at_the_top:
        yield f"top-{group.name}", _label(group), f"kind-{group.kind}"
    for name, above in tops.items():
        yield f"group-{name}", _label(by_name[name]), f"top-{above.name}"


def group_to_hierarchy(groups: Iterable[GroupRow]) -> Iterator[tuple[str, str]]:
    """`group,key`: each group at the place of its own on the lowest level."""
    for group in groups:
        yield group.name, f"group-{group.name}"


def top(group: GroupRow, by_name: dict[str, GroupRow]) -> GroupRow:
    """The group that this one is at last a part of; the way ends below one that is left out."""
    while group.parent in by_name:
        group = by_name[group.parent]
    return group


def _label(group: GroupRow) -> str:
    return label(group.title, otherwise=group.name)
