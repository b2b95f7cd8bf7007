"""The pod of a server: allowed by the Pod Security Standard "restricted", and read-only but for
the home and /tmp.
"""

from __future__ import annotations

from collections.abc import Iterable

from quotas.vocabulary import Resources
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.spec import ServerSpec
from sessions.kubernetes.names import NOTEBOOK, POD_LABEL, PORT, Manifest

HOME, TMP = "home", "tmp"
HOMES_PATH = "/homes"
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
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
}
# A container that fails leaves the end of its log, so that people can be told why.
LAST_WORDS = {"terminationMessagePolicy": "FallbackToLogsOnError"}


def pod(spec: ServerSpec, cluster: Cluster) -> Manifest:
    """The pod. It is never started again: whatever ends it ends the session."""
    metadata = spec.metadata(cluster)
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
            **_init_containers(spec, cluster),
            "containers": [_notebook(spec, cluster)],
            "volumes": volumes(spec, cluster),
        },
    }


def pull_secrets(names: Iterable[str]) -> Manifest:
    """With which secrets of the pod's namespace the node may ask the registry for the image."""
    references = [{"name": name} for name in names]
    return {"imagePullSecrets": references} if references else {}


def literal(text: str) -> str:
    """The text as a field in which the cluster would otherwise replace `$(NAME)`."""
    return text.replace("$", "$$")


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
    environment = sorted({"HOME": spec.home.path, **spec.environment}.items())
    return {
        "name": NOTEBOOK,
        "image": spec.image,
        "command": [literal(part) for part in spec.command],
        "workingDir": spec.home.path,
        "env": [{"name": name, "value": literal(value)} for name, value in environment],
        "envFrom": [{"secretRef": {"name": spec.name}}],
        "ports": [{"name": PORT, "containerPort": spec.port, "protocol": "TCP"}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 2, "timeoutSeconds": 2},
        "resources": resources(spec.resources, cluster),
        **LAST_WORDS,
        "securityContext": RESTRICTED,
        "volumeMounts": [home_mount(spec), {"name": TMP, "mountPath": "/tmp"}],  # noqa: S108
    }


def resources(wanted: Resources, cluster: Cluster) -> Manifest:
    """What is asked for is what is given, so that a server gets all that its group pays for."""
    given = {
        "cpu": f"{wanted.cpu_millicores}m",
        "memory": f"{wanted.memory_mib}Mi",
    }
    if wanted.gpus:
        given[cluster.gpu_resource] = str(wanted.gpus)
    return {"requests": given, "limits": dict(given)}


def _init_containers(spec: ServerSpec, cluster: Cluster) -> Manifest:
    """On a shared claim the person makes their directory, before it is mounted."""
    if not spec.home.sub_path:
        return {}
    directory = f"{HOMES_PATH}/{spec.home.sub_path}"
    maker = {
        "name": "make-home",
        "image": spec.image,
        "command": ["mkdir", "-p", "-m", "0700", "--", literal(directory)],
        "resources": resources(spec.resources, cluster),
        **LAST_WORDS,
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": HOME, "mountPath": HOMES_PATH}],
    }
    return {"initContainers": [maker]}


def home_mount(spec: ServerSpec) -> Manifest:
    mount = {"name": HOME, "mountPath": spec.home.path}
    return mount | ({"subPath": spec.home.sub_path} if spec.home.sub_path else {})


def volumes(spec: ServerSpec, cluster: Cluster) -> list[Manifest]:
    return [
        {"name": HOME, "persistentVolumeClaim": {"claimName": spec.home.claim}},
        {"name": TMP, "emptyDir": {"sizeLimit": f"{cluster.tmp_mib}Mi"}},
    ]
