"""Pods of Dask workers: what each shows, and which of them are in a list no more.

The operator makes them from the cluster and gives them its labels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from uuid import UUID

from lsp_portal.lib.portions import portions
from sessions.dask import recording
from sessions.dask.recording import Sighting
from sessions.kubernetes import names
from sessions.kubernetes.client import Client
from sessions.kubernetes.moments import moment
from sessions.kubernetes.reasons import node_of
from sessions.kubernetes.watching.absences import doubted
from sessions.kubernetes.watching.pods import (
    OVER,
    Manifest,
    condition_at,
    reason_of_end,
    status_of,
    terminated,
)
from sessions.kubernetes.watching.sources import Source
from sessions.models import DaskCluster, DaskWorker

COMPONENT, WORKER = "dask.org/component", "worker"  # the operator's own label
TOGETHER = 500


def take_workers(pods: Iterable[Manifest], *, at: datetime, deleted: bool = False) -> int:
    """Write down what these pods show of workers; how many were of a known cluster."""
    seen = (sighting(pod, at=at, deleted=deleted) for pod in pods)
    found = (each for each in seen if each is not None)
    return sum(recording.take_in(some) for some in portions(found, TOGETHER))


def sighting(pod: Manifest, *, at: datetime, deleted: bool = False) -> Sighting | None:
    """Pure: what a pod shows of a worker; None for pods of anything else."""
    cluster = cluster_of(pod)
    if cluster is None or _labels(pod).get(COMPONENT) != WORKER:
        return None
    finished = _finished_at(pod, at)
    last = moment(terminated(pod).get("finishedAt"))
    return Sighting(
        cluster=cluster,
        pod_uid=str(pod["metadata"]["uid"]),
        pod=str(pod["metadata"]["name"]),
        node=node_of(pod),
        started_at=_started_at(pod),
        finished_at=finished,
        gone_at=(finished or last or at.replace(microsecond=0)) if deleted else None,
        end_reason=reason_of_end(pod) if finished else "",
    )


def cluster_of(pod: Manifest) -> UUID | None:
    """The Dask cluster that a pod says it is of."""
    try:
        return UUID(_labels(pod).get(names.CLUSTER, ""))
    except ValueError:
        return None


def end_absent(
    client: Client, source: Source, present: Collection[str], *, asked_at: datetime
) -> int:
    """End workers whose pods are not among `present` of a list asked for then; how many.

    Each is asked for by name before it is believed: the list may be older than the pod.
    """
    # Of a pod that was seen before the list was asked for.
    seen = [
        worker
        for worker in DaskWorker.objects.unended().select_related("cluster__session__driven")
        if source.covers(_namespace(worker))
    ]
    missing = [worker for worker in seen if worker.pod_uid not in present]
    hubs = {worker.cluster.session.hub for worker in missing}
    if doubted(source, hubs, missing=len(missing), of=len(seen), at=asked_at):
        return 0
    gone = [worker for worker in missing if _is_gone(client, worker)]
    return recording.take_in(_absent(worker, asked_at) for worker in gone)


def _absent(worker: DaskWorker, at: datetime) -> Sighting:
    moment = at.replace(microsecond=0)
    return Sighting(worker.cluster.key, worker.pod_uid, worker.pod, gone_at=moment)


def _is_gone(client: Client, worker: DaskWorker) -> bool:
    pod = client.get("Pod", worker.pod, _namespace(worker))
    return pod is None or str(pod["metadata"]["uid"]) != worker.pod_uid


def _namespace(worker: DaskWorker) -> str:
    return worker.cluster.namespace


def _started_at(pod: Manifest) -> datetime | None:
    """When a container of it ran first, as far as the pod still says."""
    told = [moment(state.get("startedAt")) for state in _states(pod)]
    began = [each for each in told if each is not None]
    return min(began) if began else condition_at(pod, "Ready")


def _states(pod: Manifest) -> Iterator[Manifest]:
    for container in status_of(pod).get("containerStatuses") or ():
        for when in ("state", "lastState"):
            for how in ("running", "terminated"):
                yield (container.get(when) or {}).get(how) or {}


def _finished_at(pod: Manifest, at: datetime) -> datetime | None:
    """When the pod as a whole was over; a container that is started again is not."""
    if status_of(pod).get("phase") not in OVER:
        return None
    finished = moment(terminated(pod).get("finishedAt"))
    return finished or condition_at(pod, "Ready", "False") or at.replace(microsecond=0)


def _labels(pod: Manifest) -> Manifest:
    return pod["metadata"].get("labels") or {}


def end_of_cluster(cluster: DaskCluster, present: Iterable[Manifest], *, at: datetime) -> None:
    """End the workers of a cluster whose pods are not among these, which are all that it has."""
    uids = {str(pod["metadata"]["uid"]) for pod in present}
    gone = cluster.recorded_workers.unended().exclude(pod_uid__in=uids).select_related("cluster")
    recording.take_in(_absent(worker, at) for worker in gone)
