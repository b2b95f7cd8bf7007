"""Six months of sessions, told to the portal as a hub would tell them: as events."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from accounting.demo.people import HISTORY, PEOPLE, Persona
from sessions.hub.ingest import take_in
from sessions.hub.parse import read_batch
from sessions.models import Charge, Hub, HubEvent, Session, Size

BATCH = 450
IMAGES = ("rubin-weekly", "rubin-weekly", "astropy", "base")
SIZES = ("tiny", "small", "medium", "large")
WEEKEND = 0.25
FAILED = 0.02
LATEST_END = timedelta(hours=2)
"""Before the moment of the demo, so that nothing runs."""

# How sessions end, in hundredths.
ENDINGS = {"user": 52, "culled": 38, "hub": 3, "oom": 3, "crashed": 2, "admin": 1, "unknown": 1}


@dataclass(frozen=True, slots=True)
class Visit:
    """A server that a person asked for; without `ready` it failed."""

    persona: Persona
    group: str
    image: str
    size: str
    requested: datetime
    ready: datetime | None
    ended: datetime
    reason: str


def add_history(hub: Hub, *, at: datetime, dice: random.Random) -> int:
    """Send all events of the past to the portal; the number of sessions."""
    visits = sorted(_visits(at, dice), key=lambda visit: (visit.requested, visit.persona.name))
    sizes = {size.name: size for size in Size.objects.all()}
    outbox = _Outbox(dice)
    events = [event for visit in visits for event in outbox.events(visit, sizes[visit.size])]
    for start in range(0, len(events), BATCH):
        body = orjson.dumps({"events": events[start : start + BATCH]})
        outcome = take_in(hub, read_batch(body, at=at), at=at)
        if outcome.rejected:
            raise ValueError(f"the demo wrote a bad event: {outcome.rejected[0].detail}")
        if start == 0:
            _count_rows()
    return len(visits)


def _count_rows() -> None:
    """Tell the planner that the tables of one long transaction are no longer empty."""
    with connection.cursor() as cursor:
        for model in (HubEvent, Session, Charge):
            cursor.execute(f"ANALYZE {model._meta.db_table}")


class _Outbox:
    """Numbers and identities, as a hub's plugin gives them."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.epoch = f"{dice.getrandbits(128):032x}"
        self.seq = 0

    def events(self, visit: Visit, size: Size) -> Iterator[dict[str, Any]]:
        session = str(UUID(int=self.dice.getrandbits(128), version=4))
        yield self._event(visit, session, "requested", visit.requested, _wish(visit, size))
        if visit.ready is None:
            message = "The image could not be fetched."
            failed = {"reason": visit.reason, "message": message}
            yield self._event(visit, session, "failed", visit.ended, failed)
            return
        yield self._event(
            visit, session, "ready", visit.ready, {"pod": f"jupyter-{visit.persona.name}"}
        )
        yield self._event(visit, session, "stopped", visit.ended, {"reason": visit.reason})

    def _event(
        self, visit: Visit, session: str, kind: str, at: datetime, data: dict[str, Any]
    ) -> dict[str, Any]:
        self.seq += 1
        return {
            "id": f"evt_{self.dice.getrandbits(128):032x}",
            "epoch": self.epoch,
            "seq": self.seq,
            "type": f"session.{kind}",
            "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "user": visit.persona.name,
            "server": "",
            "session": session,
            "data": data,
        }


def _wish(visit: Visit, size: Size) -> dict[str, Any]:
    return {
        "group": visit.group,
        "image": visit.image,
        "size": visit.size,
        "resources": {
            "cpu_millicores": size.cpu_millicores,
            "memory_mib": size.memory_mib,
            "gpus": size.gpus,
        },
        "actor": visit.persona.name,
        "checked": True,
    }


def _visits(at: datetime, dice: random.Random) -> Iterator[Visit]:
    first = (at - HISTORY).astimezone(UTC).date() + timedelta(days=1)
    days = [first + timedelta(days=number) for number in range(HISTORY.days)]
    for persona in PEOPLE:
        free_from = at - HISTORY
        for day in days:
            chance = persona.weight * (WEEKEND if day.weekday() >= 5 else 1)
            for hour in (9, 14):
                if dice.random() >= chance:
                    continue
                noon = datetime.combine(day, time(hour), UTC)
                begin = noon + timedelta(seconds=dice.randrange(0, 4 * 3600))
                visit = _visit(persona, max(begin, free_from), dice)
                if visit.ended > at - LATEST_END:
                    break
                free_from = visit.ended + timedelta(seconds=dice.randrange(60, 600))
                yield visit


def _visit(persona: Persona, requested: datetime, dice: random.Random) -> Visit:
    ready = requested + timedelta(seconds=dice.randrange(6, 75))
    hours = min(dice.lognormvariate(0.6, 0.8), 20)
    is_failed = dice.random() < FAILED
    return Visit(
        persona=persona,
        group=persona.roles[dice.random() < 0.3 and len(persona.roles) > 1][0],
        image=dice.choice(IMAGES),
        size=persona.size if dice.random() < 0.7 else dice.choice(SIZES),
        requested=requested,
        ready=None if is_failed else ready,
        ended=requested + timedelta(minutes=5) if is_failed else ready + timedelta(hours=hours),
        reason="unknown" if is_failed else dice.choices([*ENDINGS], [*ENDINGS.values()])[0],
    )
