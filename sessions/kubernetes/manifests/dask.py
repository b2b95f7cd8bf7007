"""A Dask cluster of a session, in the words of the Dask operator (`kubernetes.dask.org/v1`).

The operator makes a scheduler and workers of it, with the labels of the cluster, and stops them
all when the cluster is deleted. Their pods are as restricted as the notebook's, and know no token.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from quotas.vocabulary import Resources
from sessions.kubernetes import names
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.container import HOME, RESTRICTED, TMP, home_mount, resources
from sessions.kubernetes.manifests.namespace import DNS, NAMESPACE_LABEL, port, public
from sessions.kubernetes.manifests.pod import (
    GRACE_SECONDS,
    identity,
    placement,
    pull_secrets,
    volumes,
)
from sessions.kubernetes.manifests.spec import ServerSpec
from sessions.kubernetes.names import Manifest
from sessions.models.dask import DASHBOARD_PORT, SCHEDULER_PORT

API = "kubernetes.dask.org/v1"
CLUSTER_LABEL, COMPONENT_LABEL = "dask.org/cluster-name", "dask.org/component"  # the operator's own
SCHEDULER, WORKER = "scheduler", "worker"
WORKER_PORT = 8788
SCHEDULER_RESOURCES = Resources(500, 2048)
TMP_PATH = "/tmp"  # noqa: S108
# What one cluster has to itself, beside the cluster and its autoscaler.
POLICIES = ("", "-scheduler", "-notebook")


@dataclass(frozen=True, slots=True)
class DaskSpec:
    """What one Dask cluster shall be; `notebook` says whose, with which image, and where.

    With `maximum` the number of workers follows the work, else it is `workers`.
    """

    key: UUID
    name: str
    notebook: ServerSpec
    workers: int
    resources: Resources
    idle_seconds: int
    minimum: int | None = None
    maximum: int | None = None

    def metadata(self, cluster: Cluster, behind: str = "") -> Manifest:
        """Like the notebook's, under a name of its own; what counts is a label as well."""
        known = self.notebook.metadata()
        own = {names.SESSION: str(self.notebook.session), names.CLUSTER: str(self.key)}
        labels = names.labels(names.DASK, self.notebook.user, self.notebook.server)
        return {
            "name": f"{self.name}{behind}",
            "namespace": known["namespace"],
            "labels": labels | own,
            "annotations": known["annotations"] | own,
        }

    @property
    def first_workers(self) -> int:
        """How many it begins with."""
        return self.workers if self.minimum is None else self.minimum


def dask_cluster(spec: DaskSpec, cluster: Cluster) -> Manifest:
    """The DaskCluster. Its number of workers is changed by `/scale` or by an autoscaler only."""
    return {
        "apiVersion": API,
        "kind": "DaskCluster",
        "metadata": spec.metadata(cluster),
        "spec": {
            "idleTimeout": spec.idle_seconds,
            "worker": {"replicas": spec.first_workers, "spec": _workers_pod(spec, cluster)},
            "scheduler": {"spec": _schedulers_pod(spec, cluster), "service": _service(spec)},
        },
    }


def dask_autoscaler(spec: DaskSpec, cluster: Cluster) -> Manifest | None:
    """What lets the number of workers follow the work; None where it is fixed."""
    if spec.maximum is None:
        return None
    limits = {"minimum": spec.minimum, "maximum": spec.maximum}
    metadata = spec.metadata(cluster)
    metadata["annotations"][names.CONTENT] = f"{spec.minimum}-{spec.maximum}"
    return {
        "apiVersion": API,
        "kind": "DaskAutoscaler",
        "metadata": metadata,
        "spec": {"cluster": spec.name, **limits},
    }


def dask_policies(spec: DaskSpec, cluster: Cluster) -> list[Manifest]:
    """Who may talk to whom: scheduler and workers to each other, the notebook to both, and the
    operator to the scheduler. Out of it they reach what servers reach, but not the hub.
    """
    members = {"podSelector": {"matchLabels": {names.CLUSTER: str(spec.key)}}}
    notebook = {"podSelector": {"matchLabels": {names.POD_LABEL: spec.notebook.name}}}
    operator = {
        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: cluster.dask_namespace}},
        "podSelector": {"matchLabels": dict(cluster.dask_labels)},
    }
    scheduler = {
        "podSelector": {"matchLabels": {names.CLUSTER: str(spec.key), COMPONENT_LABEL: SCHEDULER}}
    }
    ports = [port(SCHEDULER_PORT), port(DASHBOARD_PORT)]
    names_ports = [port(53, "UDP"), port(53)]
    inside = {
        **members,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [members, notebook]}],
        "egress": [{"to": [DNS], "ports": names_ports}, {"to": [members]}, {"to": public(cluster)}],
    }
    rules = [
        inside,
        {
            **scheduler,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [operator], "ports": ports}],
        },
        {**notebook, "policyTypes": ["Egress"], "egress": [{"to": [members]}]},
    ]
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": spec.metadata(cluster, behind),
            "spec": rule,
        }
        for behind, rule in zip(POLICIES, rules, strict=True)
    ]


def _service(spec: DaskSpec) -> Manifest:
    return {
        "type": "ClusterIP",
        "selector": {CLUSTER_LABEL: spec.name, COMPONENT_LABEL: SCHEDULER},
        "ports": [
            {"name": name, "protocol": "TCP", "port": number, "targetPort": name}
            for name, number in (("tcp-comm", SCHEDULER_PORT), ("http-dashboard", DASHBOARD_PORT))
        ],
    }


def _schedulers_pod(spec: DaskSpec, cluster: Cluster) -> Manifest:
    container = {
        "name": SCHEDULER,
        "image": spec.notebook.image,
        "command": ["dask", "scheduler"],
        "workingDir": TMP_PATH,
        "env": [{"name": "HOME", "value": TMP_PATH}],
        "ports": [
            {"name": "tcp-comm", "containerPort": SCHEDULER_PORT, "protocol": "TCP"},
            {"name": "http-dashboard", "containerPort": DASHBOARD_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": {
            "httpGet": {"path": "/health", "port": "http-dashboard"},
            "periodSeconds": 2,
            "timeoutSeconds": 2,
        },
        "resources": resources(SCHEDULER_RESOURCES, cluster),
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": TMP, "mountPath": TMP_PATH}],
    }
    return _pod(spec, cluster, container, with_home=False)


def _workers_pod(spec: DaskSpec, cluster: Cluster) -> Manifest:
    """The operator puts DASK_WORKER_NAME and the scheduler's address into the environment."""
    home = spec.notebook.home
    is_shared = bool(home.sub_path) or cluster.home_access == "ReadWriteMany"
    path = home.path if is_shared else TMP_PATH
    mounts = [home_mount(spec.notebook)] if is_shared else []
    container = {
        "name": WORKER,
        "image": spec.notebook.image,
        "command": [
            "dask", "worker", "--name", "$(DASK_WORKER_NAME)", "--dashboard",
            "--dashboard-address", str(WORKER_PORT), "--nworkers", "1",
            "--nthreads", str(max(1, -(-spec.resources.cpu_millicores // 1000))),
            "--memory-limit", f"{spec.resources.memory_mib}MiB", "--local-directory", TMP_PATH,
        ],
        "workingDir": path,
        "env": [{"name": "HOME", "value": path}],
        "ports": [{"name": "http-dashboard", "containerPort": WORKER_PORT, "protocol": "TCP"}],
        "resources": resources(spec.resources, cluster),
        "securityContext": RESTRICTED,
        "volumeMounts": [*mounts, {"name": TMP, "mountPath": TMP_PATH}],
    }  # fmt: skip
    return _pod(spec, cluster, container, with_home=is_shared)


def _pod(spec: DaskSpec, cluster: Cluster, container: Manifest, *, with_home: bool) -> Manifest:
    known = volumes(spec.notebook, cluster)
    return {
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": identity(spec.notebook),
        **pull_secrets(cluster.pull_secrets),
        **placement(spec.notebook),
        "containers": [container],
        "volumes": [each for each in known if with_home or each["name"] != HOME],
    }
