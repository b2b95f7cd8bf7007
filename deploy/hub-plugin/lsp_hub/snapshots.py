"""What runs beside the hooks: hub.started, and a snapshot of all servers every few minutes."""

import asyncio
import math
import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from lsp_hub import store
from lsp_hub.events import event, time_text, utc_now
from lsp_hub.hooks import LOST, record_ready, stored_seat
from lsp_hub.runtime import Runtime, key_of
from lsp_hub.store import READY, Seat
from lsp_hub.version import __version__

PART = 2000  # sessions in one event; the contract allows 5,000, a request 1 MiB
SEEN = "seen running, its start was not reported"


async def keep_reporting(runtime: Runtime, app: Any, hub_version: str) -> None:
    """Report the start of the hub, then snapshots for ever."""
    await runtime.outbox.opened()
    started = {"version": hub_version, "plugin_version": __version__}
    runtime.outbox.put(event("hub.started", at=utc_now(), data=started))
    try:
        adopt(runtime, active_spawners(app))
        close_lost(runtime, active_spawners(app))
    except Exception:
        runtime.log.exception("The sessions of the hub could not be compared with the outbox")
    while True:
        try:
            await report(runtime, app)
        except Exception:
            runtime.log.exception("The snapshot failed")
        await asyncio.sleep(runtime.settings.snapshot_interval)


def active_spawners(app: Any) -> list[Any]:
    """All servers that run, start or stop; those of people that the hub has not loaded do not."""
    users = list(app.users.values())
    return [s for user in users for s in list(user.spawners.values()) if s.active]


def adopt(runtime: Runtime, spawners: Iterable[Any]) -> None:
    """Take over the sessions of running servers that only the hub's database remembers."""
    for spawner in spawners:
        if runtime.seat_of(spawner) is None:
            seat = stored_seat(spawner)
            if seat:
                runtime.outbox.put(seat=seat)


def close_lost(runtime: Runtime, spawners: Iterable[Any]) -> None:
    """End the sessions whose server the hub does not know any more."""
    known = {key_of(spawner) for spawner in spawners}
    at = utc_now()
    for key, seat in list(runtime.outbox.seats.items()):
        if key not in known:
            runtime.outbox.put(_lost(seat, at), clear=key)


def _lost(seat: Seat, at: datetime) -> str:
    return event(
        "session.stopped" if seat.phase == READY else "session.failed",
        at=at,
        user=seat.user,
        server=seat.server,
        session=seat.session,
        data={"reason": "unknown", "note": LOST},
    )


async def report(runtime: Runtime, app: Any) -> None:
    """One snapshot, unless an older one still waits: a portal that is away needs only the last."""
    spawners = active_spawners(app)
    for spawner in spawners:
        if spawner.ready:
            record_ready(runtime, key_of(spawner), note=SEEN)
    if not await runtime.outbox.ask(store.has_snapshot):
        for part in snapshot(runtime, spawners, at=utc_now()):
            runtime.outbox.put(part)


def snapshot(runtime: Runtime, spawners: Iterable[Any], *, at: datetime) -> Iterator[str]:
    """The events of one snapshot."""
    sessions = [line for s in spawners if (line := _line(runtime.seat_of(s), s))]
    parts = max(1, math.ceil(len(sessions) / PART))
    name = uuid.uuid4().hex
    for part in range(parts):
        data = {
            "snapshot": name,
            "part": part + 1,
            "parts": parts,
            "sessions": sessions[part * PART : (part + 1) * PART],
        }
        yield event("hub.snapshot", at=at, data=data)


def _line(seat: Seat | None, spawner: Any) -> dict[str, Any] | None:
    """A server in the snapshot; none for one that is being cleaned up after its end."""
    phase = _phase(spawner)
    if seat is None and phase != "ready":
        return None
    key = key_of(spawner)
    return {
        "user": key.user,
        "server": key.server,
        "session": seat.session if seat else None,
        "phase": phase,
        "since": seat.since if seat else _started(spawner),
    }


def _phase(spawner: Any) -> str:
    if spawner.pending == "spawn":
        return "pending"
    return "stopping" if spawner.pending == "stop" else "ready"


def _started(spawner: Any) -> str:
    """The start as the hub's database has it (UTC without zone)."""
    started = spawner.orm_spawner.started
    return f"{started.isoformat(timespec='seconds')}Z" if started else time_text(utc_now())
