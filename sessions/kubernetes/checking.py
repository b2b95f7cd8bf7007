"""Whether servers could start in the cluster as the settings have it. Nothing is changed there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from uuid import uuid4

from quotas.vocabulary import Resources
from sessions.kubernetes import reasons
from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import Cluster, NotConfigured, cluster
from sessions.kubernetes.failures import KubernetesError, Refused
from sessions.kubernetes.manifests.pod import pod
from sessions.kubernetes.manifests.server import HomeMount, Placement, ServerSpec
from sessions.kubernetes.names import namespace
from sessions.kubernetes.rights import Right, needed
from sessions.models import Hub, Image, Size

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
NOBODY = 65534


class Level(StrEnum):
    FINE = "ok"
    MISSING = "missing"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, with what to do where it is not as it must be."""

    level: Level
    text: str
    advice: str = ""


def check() -> Iterator[Finding]:
    """Everything that can be found out from here, until something stands in the way of the rest."""
    try:
        here = cluster()
        client = Client.of(here)
        missing = [right for right in needed(here) if not _has(client, right)]
    except NotConfigured as error:
        yield Finding(Level.MISSING, str(error))
        return
    except KubernetesError as error:
        yield _closed(client, error)
        return
    yield Finding(Level.FINE, f"The cluster at {client.connection.address} answers.")
    yield from _rights(missing)
    yield from _storage(client, here)
    yield from _catalogue()
    if not here.is_per_user and not any(right.kind == "Pod" for right in missing):
        yield from _sizes(client, here)


def _has(client: Client, right: Right) -> bool:
    return client.may(right.verb, right.kind, right.namespace)


def _closed(client: Client, error: KubernetesError) -> Finding:
    """No answer, or one that lets nobody in."""
    address = client.connection.address
    if isinstance(error, Refused) and error.status == 401:
        return Finding(
            Level.MISSING,
            f"The cluster at {address} does not accept the credentials of the kubeconfig.",
            "They may have expired: `kubectl auth whoami` with the same file says more.",
        )
    text = f"The cluster at {address} cannot be used: {error}"
    advice = "Is the address right, and does a firewall let this machine reach it?"
    return Finding(Level.MISSING, text, "" if isinstance(error, Refused) else advice)


def _rights(missing: list[Right]) -> Iterator[Finding]:
    if not missing:
        yield Finding(Level.FINE, "The portal has every right that it uses there.")
    for (file, place), rights in groupby(missing, key=lambda right: (right.file, right.place)):
        of_kinds = groupby(rights, key=lambda right: right.kind)
        named = [f"{kind} ({', '.join(r.verb for r in every)})" for kind, every in of_kinds]
        yield Finding(
            Level.MISSING,
            f"The portal lacks rights {place}: {'; '.join(named)}.",
            f"An administrator applies deploy/kubernetes/{file}, with the names that you use.",
        )


def _storage(client: Client, here: Cluster) -> Iterator[Finding]:
    try:
        yield _shared(client, here) if here.homes == "directory" else _class(client, here)
    except KubernetesError as error:
        what = here.shared_claim or here.storage_class or "a default storage class"
        yield Finding(
            Level.UNKNOWN,
            f"Whether there is {what} for homes could not be seen: {error}",
            "See for yourself: kubectl get storageclass",
        )


def _shared(client: Client, here: Cluster) -> Finding:
    name, place = here.shared_claim, here.namespace
    if client.get("PersistentVolumeClaim", name, place) is not None:
        return Finding(Level.FINE, f"Homes are directories of the claim {name}.")
    text = f"The claim {name} for homes is not in the namespace {place}."
    return Finding(Level.MISSING, text, "Make it, or set KUBERNETES_SHARED_CLAIM to another.")


def _class(client: Client, here: Cluster) -> Finding:
    wanted = here.storage_class
    advice = "Set KUBERNETES_STORAGE_CLASS to one of: kubectl get storageclass"
    if wanted:
        if client.get("StorageClass", wanted) is not None:
            return Finding(Level.FINE, f"Homes get volumes of the storage class {wanted}.")
        return Finding(Level.MISSING, f"There is no storage class {wanted} for homes.", advice)
    for known in client.list("StorageClass"):
        if (known["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true":
            name = known["metadata"]["name"]
            return Finding(Level.FINE, f"Homes get volumes of the storage class {name}.")
    text = "The cluster has no default storage class, so no home would get a volume."
    return Finding(Level.MISSING, text, advice)


def _catalogue() -> Iterator[Finding]:
    hubs = list(Hub.objects.filter(mode=Hub.Mode.DRIVE).values_list("name", flat=True))
    if not hubs:
        text = "No hub lets the portal run its servers."
        yield Finding(Level.MISSING, text, "Set the hub's mode to drive in the administration.")
        return
    yield Finding(Level.FINE, f"The portal runs the servers of: {', '.join(sorted(hubs))}.")
    offered = Image.objects.filter(hubs__mode=Hub.Mode.DRIVE, reference="", retires_at=None)
    if names := sorted(set(offered.values_list("name", flat=True))):
        text = f"Images without a reference cannot be started: {', '.join(names)}."
        yield Finding(Level.MISSING, text, "Give them one in the administration.")


def _sizes(client: Client, here: Cluster) -> Iterator[Finding]:
    """The cluster is asked whether it would take a server of each size, and makes none."""
    sizes = Size.objects.filter(hubs__mode=Hub.Mode.DRIVE).distinct()
    refused = [finding for size in sizes if (finding := _tried(client, here, size))]
    yield from refused
    if not refused:
        yield Finding(Level.FINE, "It would take a server of every size.")


def _tried(client: Client, here: Cluster, size: Size) -> Finding | None:
    try:
        client.create(pod(_sample(here, size), here), dry_run=True)
    except KubernetesError as error:
        reason = reasons.refusal(str(error))
        text = f"The cluster would not take a server of the size {size.title}. {reason.message}"
        advice = "An administrator applies deploy/kubernetes/priorities.yaml."
        is_priority = reason.code == "priority_missing"
        return Finding(Level.MISSING, f"{text} ({error})", advice if is_priority else "")
    return None


def _sample(here: Cluster, size: Size) -> ServerSpec:
    """A server of nobody."""
    return ServerSpec(
        session=uuid4(),
        number=0,
        hub="check",
        namespace=namespace(here, "check"),
        user="check",
        server="",
        image="check",
        command=("check",),
        port=8888,
        resources=Resources(size.cpu_millicores, size.memory_mib, size.gpus),
        uid=NOBODY,
        gids=(),
        home=HomeMount("/home/check", here.shared_claim or "check"),
        placement=Placement(size.node_selector, tuple(size.tolerations), size.priority_class),
    )
