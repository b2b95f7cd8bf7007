"""What the cluster shows of a server, as events of its session beside those of the hub."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sessions.hub import pod_events
from sessions.hub.pod_events import PodEvent, Whose
from sessions.models import Server

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
    """The pod answers, at its place."""
    if server.ready_at is not None:
        data = {"pod": server.name, "node": server.node, "namespace": server.namespace}
        _report(server, pod_events.READY, server.ready_at, data, at=at)


def report_end(server: Server, *, at: datetime) -> None:
    """A server that was ready has ended by itself.

    Of one that somebody stopped at the hub the hub tells who it was.
    """
    if server.ready_at is None or not server.failure_code:
        return
    reason = REASONS.get(server.failure_code, "unknown")
    data = pod_events.end_data(reason, server.exit_code, server.failure_message)
    _report(server, pod_events.ENDED, server.ended_at or at, data, at=at)


def report_stop(server: Server, *, at: datetime) -> None:
    """A server that the portal ended without its hub is gone.

    The hub may find that out much later; nobody pays for the time between.
    """
    if server.ready_at is not None and server.stop_reason:
        data = pod_events.end_data(server.stop_reason, None, "")
        _report(server, pod_events.ENDED, at, data, at=at)


def _report(
    server: Server, kind: str, time: datetime, data: dict[str, Any], *, at: datetime
) -> None:
    session = server.session
    whose = Whose(session.hub.name, session.key, session.user_name, session.server)
    pod = server.pod_uid or str(session.key)
    pod_events.take_in(session.hub, [PodEvent(kind, whose, pod, time, data)], at=at)
