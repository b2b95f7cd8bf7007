"""What a pod says about a server, for spawners of the KubeSpawner family. Reads, never asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONTAINER = "notebook"  # KubeSpawner's name for the server's container, beside any sidecars


@dataclass(frozen=True)
class PodEnd:
    """Why a pod's container ended, as far as Kubernetes says."""

    reason: str | None
    exit_code: int | None


NO_END = PodEnd(None, None)


def pod_of(spawner: Any) -> Mapping[str, Any]:
    """The pod as the spawner's own watch last saw it; empty where there is none."""
    try:
        pods = spawner.pod_reflector.pods
        pod = pods.get(f"{spawner.namespace}/{spawner.pod_name}")
    except Exception:  # of a spawner that is no KubeSpawner these names may mean anything
        return {}
    return pod if isinstance(pod, Mapping) else {}


def pod_place(pod: Mapping[str, Any]) -> dict[str, str]:
    """`pod`, `node` and `pod_uid` for session.ready."""
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    found = {
        "pod": metadata.get("name"),
        "node": spec.get("nodeName"),
        "pod_uid": metadata.get("uid"),
    }
    return {name: str(value) for name, value in found.items() if value}


def pod_end(pod: Mapping[str, Any]) -> PodEnd:
    """`oom` and `evicted` where the pod says so, and the exit code of the server's container."""
    status = pod.get("status") or {}
    ended = _terminated(status.get("containerStatuses") or [])
    code = ended.get("exitCode")
    exit_code = code if isinstance(code, int) else None
    if status.get("reason") in {"Evicted", "Preempted", "Preempting"}:
        return PodEnd("evicted", exit_code)
    if ended.get("reason") == "OOMKilled":
        return PodEnd("oom", exit_code)
    return PodEnd(None, exit_code)


def _terminated(statuses: list[Any]) -> Mapping[str, Any]:
    servers = [container for container in statuses if container.get("name") == CONTAINER]
    for container in servers or statuses:
        ended = (container.get("state") or {}).get("terminated")
        if ended:
            return dict(ended)
    return {}
