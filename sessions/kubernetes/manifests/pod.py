"""The pod of a server: allowed by the Pod Security Standard "restricted", and read-only but for
the home and /tmp.
"""

from __future__ import annotations

from collections.abc import Iterable

from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.container import (
    HOME,
    LAST_WORDS,
    RESCUE_HOME,
    RESCUE_PATH,
    RESTRICTED,
    TMP,
    home_mounts,
    literal,
    resources,
    work_path,
)
from sessions.kubernetes.manifests.preparation import preparation
from sessions.kubernetes.manifests.spec import ServerSpec
from sessions.kubernetes.names import NOTEBOOK, POD_LABEL, PORT, Manifest

RESCUE_SIZE = "256Mi"  # of the home of a rescue session
# An autoscaler leaves a node alone as long as such a pod is on it.
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
GRACE_SECONDS = 30  # between the signal and the end
# Nodes that are kept for servers of people, as in Zero to JupyterHub.
DEDICATED = {
    "key": "hub.jupyter.org/dedicated",
    "operator": "Equal",
    "value": "user",
    "effect": "NoSchedule",
}


def pod(spec: ServerSpec, cluster: Cluster) -> Manifest:
    """The pod. It is never started again: whatever ends it ends the session."""
    metadata = spec.metadata()
    metadata["labels"][POD_LABEL] = spec.name
    metadata["annotations"][SAFE_TO_EVICT] = "false"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": identity(spec),
            **pull_secrets(cluster.pull_secrets),
            **placement(spec),
            **({"activeDeadlineSeconds": spec.rescue_seconds} if spec.is_rescue else {}),
            "initContainers": preparation(spec, cluster),
            "containers": [_notebook(spec, cluster)],
            "volumes": volumes(spec, cluster),
        },
    }


def pull_secrets(names: Iterable[str]) -> Manifest:
    """With which secrets of the pod's namespace the node may ask the registry for the image."""
    references = [{"name": name} for name in names]
    return {"imagePullSecrets": references} if references else {}


def identity(spec: ServerSpec) -> Manifest:
    """The person's own numbers; everybody's primary group is their own.

    A shared claim keeps its owner: with `fsGroup` the cluster would give all of it to the person.
    """
    own_claim = {"fsGroup": spec.uid, "fsGroupChangePolicy": "OnRootMismatch"}
    return {
        "runAsUser": spec.uid,
        "runAsGroup": spec.uid,
        **({} if spec.home.sub_path else own_claim),
        "supplementalGroups": list(spec.gids),
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def placement(spec: ServerSpec) -> Manifest:
    wanted = spec.placement
    placed: Manifest = {"tolerations": [DEDICATED, *(dict(t) for t in wanted.tolerations)]}
    if wanted.node_selector:
        placed["nodeSelector"] = dict(wanted.node_selector)
    if wanted.avoided:
        placed["affinity"] = {"nodeAffinity": away_from(wanted.avoided)}
    if wanted.priority_class:
        placed["priorityClassName"] = wanted.priority_class
    return placed


def away_from(nodes: Iterable[str]) -> Manifest:
    """A node affinity that keeps away from these nodes; the cluster takes one name in each part."""
    fields = [{"key": "metadata.name", "operator": "NotIn", "values": [node]} for node in nodes]
    terms = {"nodeSelectorTerms": [{"matchFields": fields}]}
    return {"requiredDuringSchedulingIgnoredDuringExecution": terms}


def _notebook(spec: ServerSpec, cluster: Cluster) -> Manifest:
    place = {"HOME": work_path(spec)}
    if spec.is_rescue:
        place["JUPYTERHUB_ROOT_DIR"] = RESCUE_PATH  # whatever the hub has for other servers
    environment = sorted({**place, **spec.environment}.items())
    return {
        "name": NOTEBOOK,
        "image": spec.image,
        "command": [literal(part) for part in spec.command],
        "workingDir": work_path(spec),
        "env": [{"name": name, "value": literal(value)} for name, value in environment],
        "envFrom": [{"secretRef": {"name": spec.name}}],
        "ports": [{"name": PORT, "containerPort": spec.port, "protocol": "TCP"}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 2, "timeoutSeconds": 2},
        "resources": resources(spec.resources, cluster),
        **LAST_WORDS,
        "securityContext": RESTRICTED,
        "volumeMounts": [*home_mounts(spec), {"name": TMP, "mountPath": "/tmp"}],  # noqa: S108
    }


def volumes(spec: ServerSpec, cluster: Cluster) -> list[Manifest]:
    known: list[Manifest] = [
        {"name": HOME, "persistentVolumeClaim": {"claimName": spec.home.claim}},
        {"name": TMP, "emptyDir": {"sizeLimit": f"{cluster.tmp_mib}Mi"}},
    ]
    if spec.is_rescue:
        known.append({"name": RESCUE_HOME, "emptyDir": {"sizeLimit": RESCUE_SIZE}})
    return known
