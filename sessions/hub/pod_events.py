"""What pods show of sessions, as events that the portal writes beside those of the hub.

Their ids follow from the pod and all that they say: however often, in whatever order and by
whomever a pod is looked at, the same is one event. What they are worth beside the hub's own word
is decided in `sql/evidence.sql`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from lsp_portal.lib.portions import portions
from sessions.hub import ingest
from sessions.hub.parse import MAX_EVENTS, Batch, canonical
from sessions.hub.seats import seat
from sessions.models import Hub, HubEvent

SPACE = UUID("6d4f7c0a-9f53-4b0e-9c55-5d7e2d6a1f10")
READY, ENDED, GONE = "pod.ready", "pod.ended", "pod.gone"
LONGEST = 1000  # characters of a message
UNCLEAR = ("crashed", "evicted")  # ends of which people want to know more than the reason


@dataclass(frozen=True, slots=True)
class Whose:
    """The session that a pod is of, by the hub's names."""

    hub: str
    session: UUID
    user: str
    server: str


@dataclass(frozen=True, slots=True)
class PodEvent:
    """One thing that a pod showed: READY, ENDED by itself, or GONE for want of a better word."""

    kind: str
    whose: Whose
    pod_uid: str
    at: datetime
    data: Mapping[str, Any]

    @property
    def row(self) -> dict[str, Any]:
        whose, time = self.whose, f"{self.at:%Y-%m-%dT%H:%M:%SZ}"
        told = {
            "type": self.kind,
            "user": whose.user,
            "server": whose.server,
            "session": str(whose.session),
            "data": {**self.data, "pod_uid": self.pod_uid, "source": "pod"},
        }
        raw = canonical({**told, "time": time})
        key = uuid5(SPACE, f"{self.pod_uid} {raw}").hex
        place = {"id": f"evt_{key}", "epoch": key, "seq": 0}  # of no outbox
        places: dict[str, list[str]] = {"sessions": [], "seats": [], "starts": []}
        return {**told, **place, **places, "time": int(self.at.timestamp()), "raw": raw}


def end_data(reason: str, exit_code: int | None, said: str) -> dict[str, Any]:
    """The data of an end: the same for everybody who saw it, so that it is one event."""
    data: dict[str, Any] = {"reason": reason}
    if exit_code is not None:
        data["exit_code"] = exit_code
    if said and reason in UNCLEAR:
        data["message"] = said[:LONGEST]
    return data


def take_in(hub: Hub, events: Iterable[PodEvent], *, at: datetime) -> int:
    """Store what is not known yet and apply it; how many that were.

    Nothing is taken of a session whose record says that it is somebody else's.
    """
    taken = 0
    for some in portions(events, MAX_EVENTS):
        rows = _unknown(hub, [event.row for event in _plausible(hub, some)])
        if rows:
            ingest.take_in(hub, Batch(rows, list(range(len(rows))), []), at=at)
        taken += len(rows)
    return taken


def _plausible(hub: Hub, events: Iterable[PodEvent]) -> list[PodEvent]:
    events = list(events)
    keys = {event.whose.session for event in events}
    seats = dict(hub.sessions.filter(key__in=keys).values_list("key", "seat"))
    return [event for event in events if seats.get(event.whose.session) in (None, _seat(event))]


def _seat(event: PodEvent) -> UUID:
    return seat(event.whose.user, event.whose.server)


def _unknown(hub: Hub, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = [row["id"] for row in rows]
    stored = HubEvent.objects.filter(hub=hub, event_id__in=ids)
    known = set(stored.values_list("event_id", flat=True))
    return [row for row in rows if row["id"] not in known]
