"""What the cluster shows of a server, as events of its session beside those of the hub.

Their ids follow from the pod and what happened, so that repetition and order do not matter.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import orjson

from sessions.hub.ingest import take_in
from sessions.hub.parse import read_batch
from sessions.models import Server

SPACE = UUID("6d4f7c0a-9f53-4b0e-9c55-5d7e2d6a1f10")
READY, STOPPED = "session.ready", "session.stopped"
SEQUENCE = {READY: 1, STOPPED: 2}
REASONS = {
    "oom": "oom",
    "crashed": "crashed",
    "init_failed": "crashed",
    "evicted": "evicted",
    "evicted_memory": "evicted",
    "evicted_disk": "evicted",
    "preempted": "evicted",
    "node_shutdown": "evicted",
    "node_lost": "evicted",
}


def report_ready(server: Server, *, at: datetime) -> None:
    """The pod answers: `session.ready` with its place."""
    if server.ready_at is not None:
        data = {"pod": server.name, "node": server.node, "pod_uid": server.pod_uid}
        _report(server, READY, server.ready_at, data, at=at)


def report_end(server: Server, *, at: datetime) -> None:
    """A server that was ready has ended by itself: `session.stopped` with the reason.

    Of one that somebody stopped the hub tells who it was.
    """
    if server.ready_at is None or not server.failure_code:
        return
    data: dict[str, Any] = {"reason": REASONS.get(server.failure_code, "unknown")}
    if server.exit_code is not None:
        data["exit_code"] = server.exit_code
    _report(server, STOPPED, server.ended_at or at, data, at=at)


def _report(
    server: Server, kind: str, time: datetime, data: dict[str, Any], *, at: datetime
) -> None:
    session = server.session
    pod = server.pod_uid or str(session.key)
    event = {
        "id": f"evt_{uuid5(SPACE, f'{pod}:{kind}').hex}",
        "epoch": uuid5(SPACE, pod).hex,
        "seq": SEQUENCE[kind],
        "type": kind,
        "time": f"{time:%Y-%m-%dT%H:%M:%SZ}",
        "user": session.user_name,
        "server": session.server,
        "session": str(session.key),
        "data": data | {"source": "pod"},
    }
    take_in(session.hub, read_batch(orjson.dumps({"events": [event]}), at=at), at=at)
