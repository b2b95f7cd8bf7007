"""Bringing a server into the cluster. Every step looks before it acts, so it may run again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sessions.driving import states
from sessions.driving.claims import claimed
from sessions.driving.sealing import SealBroken
from sessions.driving.steps import tell
from sessions.driving.vocabulary import Reason
from sessions.kubernetes import names, reasons
from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import Cluster, NotConfigured, cluster
from sessions.kubernetes.failures import (
    Conflict,
    Foreign,
    KubernetesError,
    NotFound,
    Refused,
    TooMany,
)
from sessions.kubernetes.manifests.server import ServerSpec, server_manifests
from sessions.kubernetes.reason_rules import ADMIN, AGAIN, WAITS
from sessions.kubernetes.specs import NoSpec, spec_of
from sessions.models import Server

LOG = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(seconds=2)

FOREIGN = Reason(
    "name_taken", "The place of this server in the cluster is taken by something else.", ADMIN,
    is_final=True,
)  # fmt: skip
UNCONFIGURED = Reason(
    "not_configured", "The portal does not know the cluster that servers run in.", ADMIN,
    is_final=True,
)  # fmt: skip
UNREADABLE = Reason(
    "environment_lost", "The portal's secret key has changed since the start was asked for.",
    AGAIN, is_final=True,
)  # fmt: skip


def start(number: int, *, at: datetime, now: Callable[[], datetime]) -> timedelta | None:
    """Create what the server needs; when to try again, None where there is nothing more to do.

    `at` is when the task began. `now` is asked after the calls of the cluster, which take a while.
    """
    with claimed(Server.objects.to_start(at=at), number, at=at) as server:
        if server is None or not states.mark_creating(server, at=at):
            return None
        if server.deadline_at <= at:
            return None  # whoever looks after deadlines gives it up
        return _attempt(server, now)


def _attempt(server: Server, now: Callable[[], datetime]) -> timedelta | None:
    try:
        here = cluster()
        uid = _create(Client.of(here), here, server)
    except NotConfigured as error:
        LOG.error("%s is not started: %s", server, error)
        states.fail(server, UNCONFIGURED, at=now())
    except SealBroken:
        states.fail(server, UNREADABLE, at=now())
    except NoSpec as error:
        states.fail(server, Reason("no_spec", str(error), ADMIN, is_final=True), at=now())
    except KubernetesError as error:
        return _troubled(server, error, at=now())
    else:
        if uid and not states.mark_starting(server, pod_uid=uid, at=now()):
            states.stop(server, at=now())  # it was not wanted any more: remove what was made
    return None


def _create(client: Client, cluster: Cluster, server: Server) -> str:
    """Make everything there is to make; the pod's UID, empty where it is not wanted any more."""
    spec = spec_of(server, cluster)
    _keep_names(server, spec)
    uid = ""
    for manifest in server_manifests(spec, cluster):
        if not Server.objects.filter(pk=server.pk, desired=Server.Desired.RUNNING).exists():
            return ""
        made = client.ensure(manifest, owner=names.identity(manifest))
        uid = str(made["metadata"]["uid"]) if manifest["kind"] == "Pod" else uid
    return uid


def _keep_names(server: Server, spec: ServerSpec) -> None:
    """Before anything is made, so that whoever removes it knows where it is."""
    server.name, server.namespace = spec.name, spec.namespace
    server.save(update_fields=["name", "namespace"])


def _troubled(server: Server, error: KubernetesError, *, at: datetime) -> timedelta | None:
    """Give the start up, or tell what it waits for."""
    final = _final(error)
    if final is not None:
        states.fail(server, final, at=at)
        return None
    busy = isinstance(error, TooMany)
    words = "is busy" if busy else "does not answer or is not ready yet"
    tell(server, [Reason("cluster_waits", f"The cluster {words}.", WAITS)], at=at)
    return timedelta(seconds=error.retry_after) if isinstance(error, TooMany) else AGAIN_AFTER


def _final(error: KubernetesError) -> Reason | None:
    """Why trying again is of no use; None where it is."""
    if isinstance(error, Foreign):
        return FOREIGN
    if isinstance(error, NotFound):
        return reasons.refusal(str(error))
    if isinstance(error, Refused) and not error.is_passing:
        return reasons.refusal(str(error))
    if isinstance(error, Conflict) and "exceeded quota" in str(error):
        return reasons.refusal(str(error))
    return None
