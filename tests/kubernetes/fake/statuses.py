"""The statuses of pods and their events, as a kubelet writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.kubernetes.fake.resources import EVENTS, Object, stamp
from tests.kubernetes.fake.store import Store

SIGKILL, SIGTERM = 137, 143
KEPT = 2048  # characters of a log


def condition(
    status: Object, kind: str, value: bool, reason: str = "", message: str = ""
) -> Object:
    """The status with this condition."""
    new = {"type": kind, "status": str(value), "lastTransitionTime": stamp()}
    new |= {"reason": reason} if reason else {}
    new |= {"message": message} if message else {}
    others = [c for c in status.get("conditions", []) if c["type"] != kind]
    return {**status, "conditions": [*others, new]}


def containers(pod: Object, state: Object, *, ready: bool = False) -> Object:
    """The status of the pod with all its containers in this state."""
    known = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": container["image"] if "running" in state or "terminated" in state else "",
            "ready": ready,
            "started": "running" in state,
            "restartCount": 0,
            "state": state,
            "lastState": {},
        }
        for container in pod["spec"]["containers"]
    ]
    return {**pod.get("status", {}), "containerStatuses": known}


def prepared(pod: Object, ends: Mapping[str, tuple[int, str]]) -> tuple[Object, bool]:
    """The status with the init containers as far as they came, and whether all ended well."""
    known: list[Object] = []
    for container in pod["spec"].get("initContainers", []):
        code, message = ends.get(container["name"], (0, ""))
        state = terminated(code, "Error" if code else "Completed")
        state["terminated"] |= {"message": message} if message else {}
        known.append({"name": container["name"], "restartCount": 0, "state": state})
        if code:
            break
    is_well = all(not status["state"]["terminated"]["exitCode"] for status in known)
    return {**pod.get("status", {}), **({"initContainerStatuses": known} if known else {})}, is_well


def waiting(reason: str, message: str = "") -> Object:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def running() -> Object:
    return {"running": {"startedAt": stamp()}}


def terminated(code: int, reason: str, started: str = "", message: str = "") -> Object:
    times = {"startedAt": started or stamp(), "finishedAt": stamp()}
    left = {"message": message} if message else {}
    return {"terminated": {"exitCode": code, "reason": reason, **left, **times}}


def last_words(pod: Object, code: int, log: str) -> str:
    """What the kubelet keeps of a log: its end, of a container that failed and wants that."""
    kept = {c.get("terminationMessagePolicy") for c in pod["spec"]["containers"]}
    return log[-KEPT:] if code and "FallbackToLogsOnError" in kept else ""


def started_at(pod: Object) -> str:
    for status in pod.get("status", {}).get("containerStatuses", []):
        if "running" in status["state"]:
            return str(status["state"]["running"]["startedAt"])
    return ""


def note(store: Store, thing: Object, reason: str, message: str, *, warning: bool = False) -> None:
    """An Event about an object."""
    about, now = thing["metadata"], stamp()
    event: dict[str, Any] = {
        "metadata": {"generateName": f"{about['name']}."},
        "involvedObject": {
            "apiVersion": thing["apiVersion"],
            "kind": thing["kind"],
            "name": about["name"],
            "namespace": about.get("namespace", ""),
            "uid": about["uid"],
        },
        "reason": reason,
        "message": message,
        "type": "Warning" if warning else "Normal",
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": "kubelet"},
    }
    store.create(EVENTS, about.get("namespace", "default"), event)


def images(pod: Object) -> Iterable[str]:
    spec = pod["spec"]
    return dict.fromkeys(c["image"] for c in [*spec.get("initContainers", []), *spec["containers"]])
