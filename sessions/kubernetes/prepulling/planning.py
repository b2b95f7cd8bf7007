"""Which image is fetched where next. Pure: what is wanted, seen and remembered comes in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sessions.kubernetes.prepulling.nodes import Node, Puller
from sessions.models import NodeImage

State = NodeImage.State
Key = tuple[str, str]  # reference and node

SETTLE = timedelta(minutes=10)  # until a kubelet lists what it fetched
TRUST = timedelta(days=1)  # in an image that a full list does not show
PAUSE = timedelta(minutes=30)  # after a failure, while other images have their turn


@dataclass(frozen=True, slots=True)
class Entry:
    """How an image is on a node, and since when."""

    state: NodeImage.State
    since: datetime
    message: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Pullers to make and to take away, and how every image is on every node."""

    create: tuple[Key, ...]
    delete: tuple[Puller, ...]
    entries: Mapping[Key, Entry]


def plan(
    references: Sequence[str],
    nodes: Iterable[Node],
    pullers: Iterable[Puller],
    before: Mapping[Key, Entry],
    *,
    at: datetime,
) -> Plan:
    """The next step: of the references in their order, at most one at a time on each node.

    A node with any puller, even one that is going, gets no other.
    """
    of_node = {puller.node: puller for puller in pullers}
    usable = {node.name for node in nodes if not node.out}
    entries = {
        (reference, node.name): _entry(reference, node, of_node.get(node.name), before, at)
        for node in nodes
        for reference in references
    }
    create = tuple(
        (reference, node)
        for node in sorted(usable - set(of_node))
        if (reference := _next(references, node, entries)) is not None
    )
    entries |= {key: Entry(State.FETCHING, at) for key in create}
    delete = tuple(
        puller
        for puller in of_node.values()
        if puller.is_done
        or puller.trouble
        or puller.node not in usable
        or puller.reference not in references
    )
    return Plan(create, delete, entries)


def _next(references: Sequence[str], node: str, entries: Mapping[Key, Entry]) -> str | None:
    waiting = (one for one in references if entries[one, node].state is State.WAITING)
    return next(waiting, None)


def _entry(
    reference: str, node: Node, puller: Puller | None, before: Mapping[Key, Entry], at: datetime
) -> Entry:
    """How the image is on the node now; what was known stays while nothing says otherwise."""
    known = before.get((reference, node.name))
    state, message = _seen(reference, node, puller)
    if state is State.WAITING and known is not None and _lasts(known, node, at):
        return known
    if known is not None and (known.state, known.message) == (state, message):
        return known
    return Entry(state, at, message)


def _seen(reference: str, node: Node, puller: Puller | None) -> tuple[NodeImage.State, str]:
    """What node and puller say by themselves."""
    if reference in node.images:
        return State.PRESENT, ""
    if node.out:
        return State.LEFT_OUT, node.out
    if puller is None or puller.reference != reference:
        return State.WAITING, ""
    if puller.is_done:
        return State.PRESENT, ""
    return (State.FAILED, puller.trouble) if puller.trouble else (State.FETCHING, "")


def _lasts(known: Entry, node: Node, at: datetime) -> bool:
    """Whether what was seen earlier still counts."""
    if known.state is State.PRESENT:
        return at - known.since < (TRUST if node.is_list_full else SETTLE)
    return known.state is State.FAILED and at - known.since < PAUSE
