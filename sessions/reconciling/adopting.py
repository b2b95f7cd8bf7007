"""Making sessions of servers that hubs have and of which no event arrived.

Two lists in a row that have the same server prove that it ran. What the portal then writes is
evidence of the lowest rank, stored like the events of hubs: the hub's own events of the server,
when they come, count instead. The id follows from hub, place and start, so it is made once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid5

from django.conf import settings

from lsp_portal.lib.crowds import is_crowd
from lsp_portal.lib.display import plain_moment
from sessions.hub import ingest
from sessions.hub.pages import Server
from sessions.hub.parse import Batch, canonical
from sessions.hub.seats import seat
from sessions.models import Hub, Repair, Session, Size, Snapshot, SnapshotPart
from sessions.reconciling.decisions import ANOTHER, Begin, Finding, Sighting, begin, is_listed_in

SPACE = UUID("6f0f4c5e-2f5b-5b0a-9a39-3c1d6a1f7e52")
LISTS = 12  # answers that are looked back on

Row = dict[str, Any]


def adopt(
    hub: Hub, finding: Finding, *, listed: int, at: datetime, confirmed: bool
) -> tuple[list[Server], bool]:
    """Make sessions of the servers that the list before had as well.

    Answers with the servers that are still without one, and whether they were too many at once.
    """
    before = _sightings(hub, before=finding.time)
    again = [server for server in finding.unrecorded if is_listed_in(server, before[:1])]
    ours = _untold(hub, again, until=finding.time)
    percent = settings.MOST_ENDS_PERCENT
    if not confirmed and is_crowd(len(ours), of=listed, percent=percent):
        return list(finding.unrecorded), True
    sizes = {size.name: size for size in Size.objects.all()} if ours else {}
    for server in ours:
        size = sizes.get(server.options.get("size", ""))
        began = begin(server, before, seen_at=finding.time)
        take_in(hub, server, began, size, seen_at=finding.time, at=at)
        _note(hub, server, began, seen_at=finding.time, at=at)
    return [server for server in finding.unrecorded if server not in ours], False


def take_in(
    hub: Hub, server: Server, began: Begin, size: Size | None, *, seen_at: datetime, at: datetime
) -> None:
    """Store what lists say of the server. Without a size nothing is asked for, so nobody pays."""
    found = _event(hub, server, "session.found", began.at, _found(server, seen_at))
    rows = [found]
    if size is not None:
        rows.append(_event(hub, server, "session.requested", began.at, _wish(server, size)))
    ingest.take_in(hub, Batch(rows, list(range(len(rows))), []), at=at)


def key_of(hub: Hub, server: Server) -> UUID:
    """The id of the session: the same whenever it is made."""
    started = f"{_start(server):%Y-%m-%dT%H:%M:%S}"
    return uuid5(SPACE, f"{hub.name} {seat(server.user, server.server)} {started}")


def _sightings(hub: Hub, *, before: datetime) -> list[Sighting]:
    """What the hub answered last, the newest first."""
    answers = Snapshot.objects.filter(hub=hub, is_complete=True, was_asked=True, time__lt=before)
    newest = list(answers.order_by("-time").values_list("pk", "time")[:LISTS])
    parts = SnapshotPart.objects.filter(snapshot__in=[key for key, _ in newest])
    places = {
        key: dict(zip(seats, starts, strict=True))
        for key, seats, starts in parts.values_list("snapshot", "seats", "starts")
    }
    return [Sighting(time, places.get(key, {})) for key, time in newest]


def _untold(hub: Hub, servers: Iterable[Server], *, until: datetime) -> list[Server]:
    """Those that have no session which ended by other evidence: that is not made again."""
    told = []
    for server in servers:
        there = Session.objects.filter(hub=hub, seat=seat(server.user, server.server))
        if not there.filter(ready_at__range=(_start(server) - ANOTHER, until)).exists():
            told.append(server)
    return told


def _start(server: Server) -> datetime:
    """By the hub, in whole seconds; servers without one are not looked at."""
    return cast("datetime", server.started_at).replace(microsecond=0)


def _found(server: Server, seen_at: datetime) -> Row:
    return {"since": _text(_start(server)), "seen": _text(seen_at), "source": "rest"}


def _wish(server: Server, size: Size) -> Row:
    resources = {
        "cpu_millicores": size.cpu_millicores,
        "memory_mib": size.memory_mib,
        "gpus": size.gpus,
    }
    return {**server.options, "resources": resources, "source": "rest"}


def _event(hub: Hub, server: Server, kind: str, time: datetime, data: Row) -> Row:
    """An event that the portal writes for the hub, as the hub's own are stored."""
    key = key_of(hub, server)
    told = {
        "id": f"evt_{uuid5(key, kind).hex}",
        "type": kind,
        "user": server.user,
        "server": server.server,
        "session": str(key),
        "data": data,
    }
    raw = canonical({**told, "time": _text(time)})
    place = {"epoch": key.hex, "seq": int(kind == "session.found")}
    known = {"time": int(time.timestamp()), "raw": raw, "sessions": [], "seats": [], "starts": []}
    return {**told, **place, **known}


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _note(hub: Hub, server: Server, began: Begin, *, seen_at: datetime, at: datetime) -> None:
    session = Session.objects.select_related("group").get(hub=hub, key=key_of(hub, server))
    Repair.objects.bulk_create(
        [_repair(session, server, began, seen_at, at)], ignore_conflicts=True
    )


def _repair(
    session: Session, server: Server, began: Begin, seen_at: datetime, at: datetime
) -> Repair:
    said = (
        f"Two lists in a row, the second of {plain_moment(seen_at)}, have a server that started "
        f"at {plain_moment(_start(server))} and of which no event arrived."
    )
    if not began.is_start:
        said += " An earlier list after that start lacks it, so it counts from where lists have it."
    return Repair(
        hub_id=session.hub_id,
        kind=Repair.Kind.ADOPTED,
        session=session,
        user_name=session.user_name,
        server=session.server,
        seat=session.seat,
        moment=began.at,
        said=said,
        changed=_changed(session, began),
        confidence=_confidence(session, began),
        found_at=at,
    )


def _changed(session: Session, began: Begin) -> str:
    made = f"It is a session from {plain_moment(began.at)} on"
    if session.cpu_millicores is None:
        return f"{made}, charged to nobody: the hub does not say a size that is known here."
    if session.group is None:
        return f"{made}, charged to nobody: the person was in no such group then. Attribute it."
    return f"{made}, charged to {session.group} with the size {session.size} that was chosen."


def _confidence(session: Session, began: Begin) -> Repair.Confidence:
    if not began.is_start:
        return Repair.Confidence.LOW
    is_known = session.group_id is not None and session.cpu_millicores is not None
    return Repair.Confidence.HIGH if is_known else Repair.Confidence.MEDIUM
