"""What one pod means for its server, and writing that down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sessions.driving import evidence, states
from sessions.driving.steps import tell
from sessions.driving.vocabulary import Reason
from sessions.kubernetes import homes
from sessions.kubernetes.moments import moment
from sessions.kubernetes.preparing import HOME_FULL
from sessions.kubernetes.reason_rules import ADMIN
from sessions.kubernetes.reasons import Hints, final, node_of, reasons
from sessions.models import Server

Manifest = Mapping[str, Any]

POD_GONE = Reason(
    "pod_gone", "The server's pod is gone: its node was lost, or somebody removed it.",
    "Start it again. Files in your home are safe.", is_final=True,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sight:
    """A pod as it was seen. `ready_at` is None while it is not ready, or not any more."""

    uid: str
    node: str
    address: str
    ready_at: datetime | None
    end: Reason | None
    told: tuple[Reason, ...]


def sight(pod: Manifest, events: Iterable[Manifest], *, port: int, hints: Hints) -> Sight:
    """Pure: what the pod and its events say."""
    told = reasons(pod, events, hints)
    return Sight(
        uid=str(pod["metadata"]["uid"]),
        node=node_of(pod),
        address=_address(pod, port),
        ready_at=_ready_at(pod),
        end=final(pod, hints),
        told=tuple(reason for reason in told if not reason.is_final),
    )


def note(server: Server, seen: Sight, *, at: datetime) -> None:
    """Bring the server's row to what was seen of its pod."""
    if server.pod_uid and seen.uid != server.pod_uid:
        return  # another pod: the sweep looks after it
    if not server.is_over:
        tell(server, seen.told, at=at)
    if seen.end is not None:
        note_end(server, seen.end, at=at)
    elif seen.ready_at and seen.address:
        changed = states.mark_ready(
            server, address=seen.address, node=seen.node, ready_at=seen.ready_at, at=at
        )
        if changed:
            evidence.report_ready(server, at=at)
            homes.note_room(server, at=seen.ready_at)


def note_end(server: Server, reason: Reason, *, at: datetime) -> None:
    """The pod has ended, or nothing will come of it."""
    if states.fail(server, reason, at=at):
        if reason.code == HOME_FULL:
            homes.note_full(server, at=at)
    else:
        states.end(server, reason, at=at)


def give_up_overdue(*, at: datetime) -> None:
    """Give up every start that took too long; the cluster is not asked."""
    for server in Server.objects.overdue(at=at).select_related("session__hub"):
        _give_up(server, at=at)


def _give_up(server: Server, *, at: datetime) -> None:
    """With the last that was known of it."""
    last = server.steps.order_by("-seq").first()
    minutes = round((server.deadline_at - server.asked_at).total_seconds() / 60)
    text = f"The server was not ready after {minutes} min."
    known = f"{text} The last that was known: {last.message}" if last else text
    advice = last.advice if last and last.advice else ADMIN
    states.fail(server, Reason("deadline", known, advice, is_final=True), at=at)


def _ready_at(pod: Manifest) -> datetime | None:
    if "deletionTimestamp" in pod["metadata"]:
        return None
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return moment(condition.get("lastTransitionTime"))
    return None


def _address(pod: Manifest, port: int) -> str:
    """By the pod's own address: a name could not be resolved for the first seconds."""
    ip = str((pod.get("status") or {}).get("podIP") or "")
    return f"http://[{ip}]:{port}" if ":" in ip else f"http://{ip}:{port}" if ip else ""
