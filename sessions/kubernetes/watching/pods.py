"""What a pod says of its session. Pure: dicts in, events out.

A pod that ends by itself is an end like the hub's own word. A pod that was told to end says only
that somebody wanted it: who, the hub knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson

from sessions.hub.pod_events import ENDED, GONE, READY, PodEvent, Whose, end_data
from sessions.kubernetes import names
from sessions.kubernetes.moments import moment
from sessions.kubernetes.reasons import SERVER, Hints, final, node_of

Manifest = Mapping[str, Any]

OVER = ("Succeeded", "Failed")
PUT_OUT = ("Evicted", "NodeLost", "NodeShutdown", "Terminated", "Preempting", "Shutdown")
DIGEST = 16  # bytes
SPAWNER_USER = "hub.jupyter.org/username"
SPAWNER_SERVER = "hub.jupyter.org/servername"


def whose(pod: Manifest) -> Whose | None:
    """The session that the pod is of; None for pods that say none.

    The portal's own pods say it in annotations, those of KubeSpawner in the environment that the
    plugin gave them.
    """
    notes = pod["metadata"].get("annotations") or {}
    values = _environment(pod)
    user = notes.get(names.USER) or notes.get(SPAWNER_USER, "")
    server = notes.get(names.SERVER) or notes.get(SPAWNER_SERVER, "")
    hub = notes.get(names.HUB) or values.get("LSP_HUB", "")
    try:
        session = UUID(notes.get(names.SESSION) or values.get("LSP_SESSION", ""))
    except ValueError:
        return None
    return Whose(hub, session, user, server) if hub and user else None


def shown(pod: Manifest, *, at: datetime, deleted: bool = False) -> Iterator[PodEvent]:
    """What is evidence in the pod as it is; `deleted`: it is not there any more, seen at `at`."""
    about = whose(pod)
    if about is None:
        return
    uid = str(pod["metadata"]["uid"])
    ready_at = condition_at(pod, "Ready")
    if ready_at is not None:
        yield PodEvent(READY, about, uid, ready_at, _place(pod))
    if deleted or status_of(pod).get("phase") in OVER:
        kind, ended_at = _end(pod, at)
        yield PodEvent(kind, about, uid, ended_at, _how(pod, kind))


def digest(pod: Manifest) -> bytes:
    """Of what matters in the pod, so that the same need not be looked at again."""
    status, about = status_of(pod), pod["metadata"]
    known = [
        status.get("phase"), status.get("conditions"), status.get("containerStatuses"),
        status.get("initContainerStatuses"), status.get("podIP"), status.get("reason"),
        about.get("deletionTimestamp"), node_of(pod),
    ]  # fmt: skip
    return blake2b(orjson.dumps(known), digest_size=DIGEST).digest()


def _end(pod: Manifest, at: datetime) -> tuple[str, datetime]:
    """Whether it ended by itself, and when."""
    finished, asked = _finished_at(pod), _deletion_asked_at(pod)
    put_out_at = condition_at(pod, "DisruptionTarget")
    if _is_put_out(pod):
        return ENDED, finished or put_out_at or condition_at(pod, "Ready", "False") or at
    by_itself = status_of(pod).get("phase") in OVER and (asked is None or (finished or at) < asked)
    return (ENDED if by_itself else GONE), finished or asked or at


def _how(pod: Manifest, kind: str) -> dict[str, Any]:
    code, said = terminated(pod).get("exitCode"), final(pod, Hints())
    return end_data(
        _reason(pod, kind), None if code is None else abs(code), said.text if said else ""
    )


def _reason(pod: Manifest, kind: str) -> str:
    return "unknown" if kind == GONE else reason_of_end(pod)


def reason_of_end(pod: Manifest) -> str:
    """Why a pod ended by itself, in the words of the hub API."""
    ended = terminated(pod)
    if _is_put_out(pod):
        return "evicted"
    if ended.get("reason") == "OOMKilled":
        return "oom"
    return "crashed" if ended.get("exitCode") else "unknown"


def _is_put_out(pod: Manifest) -> bool:
    status = status_of(pod)
    return status.get("reason") in PUT_OUT or condition_at(pod, "DisruptionTarget") is not None


def _place(pod: Manifest) -> dict[str, Any]:
    about = pod["metadata"]
    return {"pod": about["name"], "node": node_of(pod), "namespace": about["namespace"]}


def condition_at(pod: Manifest, kind: str, value: str = "True") -> datetime | None:
    for condition in status_of(pod).get("conditions") or ():
        if condition.get("type") == kind and condition.get("status") == value:
            return moment(condition.get("lastTransitionTime"))
    return None


def _deletion_asked_at(pod: Manifest) -> datetime | None:
    """The deadline of the deletion less the time that was given."""
    about = pod["metadata"]
    due = moment(about.get("deletionTimestamp"))
    grace = timedelta(seconds=about.get("deletionGracePeriodSeconds") or 0)
    return due - grace if due else None


def _finished_at(pod: Manifest) -> datetime | None:
    return moment(terminated(pod).get("finishedAt"))


def terminated(pod: Manifest) -> Mapping[str, Any]:
    """How the server's container ended; of a pod without that name, the first that did."""
    ended = {
        each.get("name"): (each.get("state") or {}).get("terminated")
        for each in status_of(pod).get("containerStatuses") or ()
    }
    return ended.get(SERVER) or next(filter(None, ended.values()), {})


def _environment(pod: Manifest) -> dict[str, str]:
    containers = (pod.get("spec") or {}).get("containers") or ()
    variables = [each for container in containers for each in container.get("env") or ()]
    return {each["name"]: str(each.get("value") or "") for each in variables}


def status_of(pod: Manifest) -> Mapping[str, Any]:
    return pod.get("status") or {}
