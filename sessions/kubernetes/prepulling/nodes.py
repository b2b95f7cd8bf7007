"""What nodes and pullers tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sessions.kubernetes.manifests.pod import DEDICATED
from sessions.kubernetes.names import Manifest

NODE, IMAGE = "lsp.portal/node", "lsp.portal/image"
HOSTNAME = "kubernetes.io/hostname"
MOST_LISTED = 50  # images that a kubelet lists, unless it is told otherwise
LONGEST = timedelta(hours=1)  # for one image on one node
BARRING = ("NoSchedule", "NoExecute")
TROUBLES = (
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError",
    "RegistryUnavailable", "SignatureValidationFailed", "CreateContainerConfigError",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Node:
    """A node, the images that it lists, and why it is left out, if it is."""

    name: str
    hostname: str
    images: frozenset[str]
    is_list_full: bool = False
    out: str = ""


@dataclass(frozen=True, slots=True)
class Puller:
    """The puller of a node: done, in trouble, or at work."""

    name: str
    uid: str
    node: str
    reference: str
    is_done: bool = False
    trouble: str = ""


def node_of(manifest: Manifest) -> Node:
    metadata, status = manifest["metadata"], manifest.get("status", {})
    listed = status.get("images") or []
    return Node(
        name=metadata["name"],
        hostname=metadata.get("labels", {}).get(HOSTNAME, metadata["name"]),
        images=frozenset(name for image in listed for name in image.get("names") or []),
        is_list_full=len(listed) >= MOST_LISTED,
        out=_out(manifest.get("spec", {}), status),
    )


def puller_of(pod: Manifest, *, at: datetime) -> Puller:
    metadata, status = pod["metadata"], pod.get("status", {})
    known = metadata.get("annotations", {})
    # A container that ended was started, so its image is there, whatever became of it.
    is_done = any("terminated" in state for state in _states(status))
    return Puller(
        name=metadata["name"],
        uid=metadata["uid"],
        node=known.get(NODE, ""),
        reference=known.get(IMAGE, ""),
        is_done=is_done,
        trouble="" if is_done else _trouble(metadata, status, at),
    )


def _out(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    """Why no puller is sent there."""
    if spec.get("unschedulable"):
        return "It is cordoned."
    conditions = status.get("conditions") or []
    ready = [one.get("status") for one in conditions if one.get("type") == "Ready"]
    if ready != ["True"]:
        return "It is not ready."
    barring = [taint for taint in spec.get("taints") or [] if _bars(taint)]
    if barring:
        first = barring[0]
        value = f"={first['value']}" if first.get("value") else ""
        return f"It has the taint {first['key']}{value}:{first['effect']}."
    return ""


def _bars(taint: Mapping[str, Any]) -> bool:
    is_tolerated = all(taint.get(name) == DEDICATED[name] for name in ("key", "value", "effect"))
    return taint.get("effect") in BARRING and not is_tolerated


def _trouble(metadata: Mapping[str, Any], status: Mapping[str, Any], at: datetime) -> str:
    """What keeps the image from coming, in words."""
    for state in _states(status):
        waiting = state.get("waiting") or {}
        if waiting.get("reason") in TROUBLES:
            return str(waiting.get("message") or waiting["reason"])
    if status.get("phase") == "Failed":
        return str(status.get("message") or status.get("reason") or "The puller failed.")
    made = metadata.get("creationTimestamp")
    if made and at - datetime.fromisoformat(made) > LONGEST:
        return _unplaced(status) or "It was not there after an hour."
    return ""


def _unplaced(status: Mapping[str, Any]) -> str:
    conditions = status.get("conditions") or []
    placed = [one for one in conditions if one.get("type") == "PodScheduled"]
    return "".join(str(one.get("message", "")) for one in placed if one.get("status") == "False")


def _states(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one.get("state") or {} for one in status.get("containerStatuses") or []]
