"""Pods that keep room for servers: they do nothing, and give way at once. Pure.

Where no node has room for one it waits, which has an autoscaler add a node before a person waits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import orjson

from sessions.kubernetes.capacity.rooms import OVER
from sessions.kubernetes.manifests.container import RESTRICTED
from sessions.kubernetes.manifests.pod import DEDICATED, SAFE_TO_EVICT, away_from
from sessions.kubernetes.names import CONTENT, PLACEHOLDER, Manifest, labels
from sessions.models import Size

NOBODY = 65534
PAUSE = timedelta(minutes=5)  # until one that failed is made again


@dataclass(frozen=True, slots=True)
class Plan:
    """Placeholders to make, and to take away."""

    create: tuple[Manifest, ...]
    delete: tuple[Manifest, ...]


def placeholder(
    size: Size,
    number: int,
    *,
    namespace: str,
    image: str,
    priority_class: str,
    gpu_resource: str,
    avoided: Sequence[str] = (),
) -> Manifest:
    """The pod that takes the room of one server of that size, on a node where one could be."""
    given = {"cpu": f"{size.cpu_millicores}m", "memory": f"{size.memory_mib}Mi"}
    given |= {gpu_resource: str(size.gpus)} if size.gpus else {}
    spec: Manifest = {
        "priorityClassName": priority_class,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": dict(size.node_selector),
        "tolerations": [DEDICATED, *size.tolerations],
        "securityContext": {
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": PLACEHOLDER,
                "image": image,
                "resources": {"requests": given, "limits": dict(given)},
                "securityContext": RESTRICTED,
            }
        ],
    }
    digest = sha256(orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    away = {"affinity": {"nodeAffinity": away_from(avoided)}} if avoided else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"lsp-placeholder-{size.name}-{number}",
            "namespace": namespace,
            "labels": labels(PLACEHOLDER),
            "annotations": {CONTENT: digest, SAFE_TO_EVICT: "true"},
        },
        "spec": spec | away,
    }


def plan(
    wanted: Iterable[Manifest],
    there: Iterable[Manifest],
    *,
    closed: Collection[str],
    at: datetime,
) -> Plan:
    """What is missing is made. What is not wanted, is of another content, is on a closed node, or
    has failed a while ago is taken away, and made again once it is gone.
    """
    by_name = {each["metadata"]["name"]: each for each in wanted}
    found = {each["metadata"]["name"]: each for each in there}
    return Plan(
        create=tuple(each for name, each in by_name.items() if name not in found),
        delete=tuple(
            each
            for name, each in found.items()
            if "deletionTimestamp" not in each["metadata"]
            and (_is_wrong(each, by_name.get(name), closed) or _has_failed(each, at))
        ),
    )


def _is_wrong(pod: Manifest, wanted: Manifest | None, closed: Collection[str]) -> bool:
    return (
        wanted is None or _content(pod) != _content(wanted) or pod["spec"].get("nodeName") in closed
    )


def _has_failed(pod: Mapping[str, Manifest], at: datetime) -> bool:
    """It was put out, and is not quite new: one that fails at once is not made again at once."""
    made = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    return (pod.get("status") or {}).get("phase") in OVER and at - made >= PAUSE


def _content(pod: Manifest) -> str | None:
    content: str | None = (pod["metadata"].get("annotations") or {}).get(CONTENT)
    return content
