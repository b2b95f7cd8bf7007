"""Bringing Dask clusters about in Kubernetes. Every step looks before it acts, so it may run again.

The Dask operator does the work: the portal tells it the size, sees what became of it, and asks for
the end. It never touches a finalizer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from sessions.dask import states
from sessions.driving.claims import claimed
from sessions.hub.alerts import raise_alert
from sessions.kubernetes import names
from sessions.kubernetes.client import Client, Manifest
from sessions.kubernetes.configuration import Cluster, NotConfigured, cluster
from sessions.kubernetes.failures import Foreign, KubernetesError, NotFound, Refused
from sessions.kubernetes.manifests.dask import (
    COMPONENT_LABEL,
    POLICIES,
    SCHEDULER,
    DaskSpec,
    dask_autoscaler,
    dask_cluster,
    dask_policies,
)
from sessions.kubernetes.reasons import Hints, unscheduled
from sessions.kubernetes.specs import NoSpec, dask_spec_of
from sessions.kubernetes.watching.pods import condition_at
from sessions.kubernetes.watching.workers import end_of_cluster, take_workers
from sessions.models import Alert, DaskCluster

LOG = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(seconds=2)
ENDED = "It had nothing to do for its idle time, or was removed in Kubernetes."
NOT_READY = "Its scheduler was not ready in time."
HANGS = "Kubernetes has not ended it yet. An administrator of the platform has been told."
WAITS = "Its finalizer waits for the Dask operator, or its pods for their nodes."
REFUSED = "Kubernetes refused it; the portal's log says why."
BUSY = "Kubernetes is busy or does not answer; it is tried again."
NO_OPERATOR = "The Dask operator is not installed in the Kubernetes cluster."


def tend(number: int, *, at: datetime, now: Callable[[], datetime]) -> timedelta | None:
    """Do what is due for the cluster; when to look again, None where it is as it is wanted.

    `at` is when the task began. `now` is asked after the calls of Kubernetes, which take a while.
    """
    with claimed(DaskCluster.objects.unfinished(), number, at=at) as found:
        if found is None:
            return None
        if found.is_wanted and states.is_over(found.session, at=at):
            states.stop(found, at=at, why=states.SESSION_ENDED)
            found.refresh_from_db()
        try:
            here = cluster()
            client = Client.of(here)
            return (_bring if found.is_wanted else _remove)(client, here, found, now)
        except NoSpec as error:
            states.stop(found, at=now(), why=str(error))
        except (KubernetesError, NotConfigured) as error:
            return _note_trouble(found, error, at=now())
        return AGAIN_AFTER


def _bring(
    client: Client, here: Cluster, found: DaskCluster, now: Callable[[], datetime]
) -> timedelta | None:
    """Make it as large as is wanted, and see how far it is."""
    wish, spec = found.wish, dask_spec_of(found, here)
    if not found.applied:
        _make(client, here, found, spec)
    live = _own(client, "DaskCluster", found)
    if live is None or "deletionTimestamp" in live["metadata"]:
        states.stop(found, at=now(), why=ENDED)
        return AGAIN_AFTER
    _size(client, here, found, spec, live)
    states.mark_applied(found, wish=wish, at=now())
    return _see(found, _looked_at(client, found, at=now()), at=now())


def _make(client: Client, here: Cluster, found: DaskCluster, spec: DaskSpec) -> None:
    """The policies before the pods that they are about."""
    if not found.name:  # before anything is made, so that whoever removes it knows what
        found.name = spec.name
        found.save(update_fields=["name"])
    for manifest in [*dask_policies(spec, here), dask_cluster(spec, here)]:
        client.ensure(manifest, owner=_owner(manifest))


def _size(
    client: Client, here: Cluster, found: DaskCluster, spec: DaskSpec, live: Manifest
) -> None:
    """An autoscaler with its limits, or none and the number of workers."""
    autoscaler = dask_autoscaler(spec, here)
    if autoscaler is not None:
        client.ensure(autoscaler, owner=_owner(autoscaler))
        return
    _delete(client, "DaskAutoscaler", found)
    if live["spec"]["worker"]["replicas"] != spec.workers:
        body = {"spec": {"replicas": spec.workers}}
        client.patch("DaskCluster", found.name, found.namespace, body, subresource="scale")


def _see(found: DaskCluster, pods: list[Manifest], *, at: datetime) -> timedelta | None:
    """How far it is by its pods."""
    if any(_is_scheduler(pod) and condition_at(pod, "Ready") for pod in pods):
        states.mark_running(found, at=at)
        states.tell(found, _waiting(pods))
    elif found.running_at is None and at - found.asked_at > _patience():
        states.stop(found, at=at, why=NOT_READY)
    in_motion = DaskCluster.objects.in_motion().filter(pk=found.pk)
    return AGAIN_AFTER if in_motion.exists() else None


def _remove(
    client: Client, here: Cluster, found: DaskCluster, now: Callable[[], datetime]
) -> timedelta | None:
    """Ask for the end of what there is; gone when nothing is left, not before."""
    if not found.name:
        states.mark_gone(found, at=now())
        return None
    pods = _looked_at(client, found, at=now())
    _delete(client, "DaskAutoscaler", found)
    if _delete(client, "DaskCluster", found) or pods:
        return _note_delay(found, WAITS, at=now())
    for behind in POLICIES:
        _delete(client, "NetworkPolicy", found, behind)
    if found.note == HANGS:
        states.tell(found, "")
    states.mark_gone(found, at=now())
    _alerts(found).update(resolved_at=now())
    return None


def _delete(client: Client, kind: str, found: DaskCluster, behind: str = "") -> bool:
    """Ask for the end of an object of the cluster; whether it was still there."""
    live = _own(client, kind, found, behind)
    if live is not None and "deletionTimestamp" not in live["metadata"]:
        uid = str(live["metadata"]["uid"])
        client.delete(kind, f"{found.name}{behind}", found.namespace, uid=uid)
    return live is not None


def _own(client: Client, kind: str, found: DaskCluster, behind: str = "") -> Manifest | None:
    """The object if it is the cluster's: a stranger of that name is left alone."""
    live = client.get(kind, f"{found.name}{behind}", found.namespace)
    if live is None:
        return None
    known = live["metadata"].get("annotations") or {}
    return live if known.get(names.CLUSTER) == str(found.key) else None


def _owner(manifest: Manifest) -> Mapping[str, str]:
    return {names.CLUSTER: manifest["metadata"]["annotations"][names.CLUSTER]}


def _looked_at(client: Client, found: DaskCluster, *, at: datetime) -> list[Manifest]:
    """The pods of the cluster, and what they show of workers written down."""
    selector = f"{names.DASKS},{names.CLUSTER}={found.key}"
    pods = list(client.list("Pod", found.namespace, selector=selector))
    take_workers(pods, at=at)
    end_of_cluster(found, pods, at=at)
    return pods


def _is_scheduler(pod: Manifest) -> bool:
    return bool(pod["metadata"]["labels"].get(COMPONENT_LABEL) == SCHEDULER)


def _waiting(pods: Iterable[Manifest]) -> str:
    """Why workers wait, in the words of the first that does."""
    told = (unscheduled(pod, Hints()) for pod in pods)
    first = next(filter(None, told), None)
    return first.message if first else ""


def _patience() -> timedelta:
    return timedelta(seconds=settings.KUBERNETES_START_SECONDS)


def _note_trouble(found: DaskCluster, error: Exception, *, at: datetime) -> timedelta | None:
    """Give a start up that can come to nothing; else it is tried again."""
    LOG.warning("%s: %s", found, error)
    if not found.is_wanted:
        return _note_delay(found, str(error), at=at)
    if isinstance(error, NotFound):
        states.stop(found, at=at, why=NO_OPERATOR)
    elif isinstance(error, Foreign) or (isinstance(error, Refused) and not error.is_passing):
        states.stop(found, at=at, why=REFUSED)
    else:
        states.tell(found, BUSY)
    return AGAIN_AFTER


def _note_delay(found: DaskCluster, why: str, *, at: datetime) -> timedelta | None:
    """When to look again. After the time that an end may take, people and administrators are told
    that it lasts, and the sweep looks on.
    """
    since = found.stop_asked_at or found.changed_at
    if at - since < timedelta(seconds=settings.KUBERNETES_STOP_SECONDS):
        return AGAIN_AFTER
    states.tell(found, HANGS)
    detail = f"{found.name} in {found.namespace} should have ended. {why}"
    raise_alert(found.session.hub, Alert.Kind.NOT_GONE, _subject(found), detail, at=at)
    return None


def _alerts(found: DaskCluster) -> QuerySet[Alert]:
    alerts = Alert.objects.filter(hub=found.session.hub_id, kind=Alert.Kind.NOT_GONE)
    return alerts.filter(subject=_subject(found), resolved_at=None)


def _subject(found: DaskCluster) -> str:
    return f"Dask cluster of session {found.session_id}"
