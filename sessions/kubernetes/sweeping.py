"""The second net: everything of ours in the cluster compared with the rows, from scratch.

Only rows that did not change since the sweep began are touched; objects are deleted only where
they say whose they are and that session is known to be over.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sessions.driving import messages, states
from sessions.hub.alerts import raise_alert
from sessions.kubernetes import dask_sweeping, following, names, observing, stopping
from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import Cluster, NotConfigured, cluster
from sessions.kubernetes.failures import KubernetesError
from sessions.models import Alert, Hub, Server, Session

Manifest = Mapping[str, Any]
LOG = logging.getLogger(__name__)
State = Server.State

OVER = (Session.State.ENDED, Session.State.FAILED)
ENDED = "Its session has ended; the server is being removed."
SUBJECT = "objects in the cluster"
MOST_NAMED = 5
LATE = timedelta(minutes=10)  # no request to the cluster lasts so long


def sweep(*, at: datetime) -> int:
    """Repair what messages and crashes left; the number of objects that were removed.

    Where the portal runs no servers the cluster is not asked.
    """
    observing.give_up_overdue(at=at)
    if _any_driven() is None and not Server.objects.unfinished().exists():
        return 0
    try:
        here = cluster()
        return _sweep(Client.of(here), here, at=at)
    except (KubernetesError, NotConfigured) as error:
        LOG.warning("the cluster could not be swept: %s", error)
        return 0


def _sweep(client: Client, here: Cluster, *, at: datetime) -> int:
    namespace = None if here.is_per_user else here.namespace
    pods = list(client.list("Pod", namespace, selector=names.NOTEBOOKS))
    _look_at_rows(client, pods, at=at)
    _wake(at=at)
    strange = dask_sweeping.sweep(client, here, at=at)
    return _remove_late(client, at=at) + _remove_strays(client, pods, strange, at=at)


def _look_at_rows(client: Client, found: Iterable[Manifest], *, at: datetime) -> None:
    """Rows by what was found: ended sessions are stopped, pods that are gone are told."""
    servers = Server.objects.unfinished().filter(changed_at__lt=at)
    pods = {following.session_of(each): each for each in found}
    for server in servers.select_related("session__hub").order_by("pk"):
        if server.is_wanted and server.session.state(at=at) in OVER:
            states.stop(server, at=at, why=ENDED)
        elif server.is_wanted and server.state in (State.STARTING, State.READY):
            pod = pods.get(server.session.key)
            if pod is None:
                following.note_absence(client, server, at=at)
            else:
                following.observe(server, pod, (), at=at)


def _wake(*, at: datetime) -> None:
    """Send again what messages were lost of."""
    for number in Server.objects.to_start(at=at).values_list("pk", flat=True):
        messages.start_soon(number)
    for number in Server.objects.to_remove(at=at).values_list("pk", flat=True):
        messages.stop_soon(number)


def _remove_late(client: Client, *, at: datetime) -> int:
    """What a request that was thought lost still made, after everything had been removed.

    By name, since the portal may not list the cluster's secrets.
    """
    lately = Server.objects.filter(cleaned_at__gt=at - LATE, cleaned_at__lt=at).exclude(name="")
    return sum(stopping.remove(client, server) for server in lately.select_related("session"))


def _remove_strays(
    client: Client, pods: Iterable[Manifest], others: Iterable[Manifest], *, at: datetime
) -> int:
    """Pods that no unfinished row stands for: removed where their session is over."""
    pods = list(pods)
    rows = _rows(key for each in pods if (key := following.session_of(each)))
    removed, strange = 0, list(others)
    for each in pods:
        row = rows.get(following.session_of(each))
        if row is not None and _is_over(row, at=at):
            removed += _delete(client, each)
        elif row is None or _driven(row) is None:
            strange.append(each)
    _report(strange, at=at)
    return removed


def _delete(client: Client, pod: Manifest) -> bool:
    about = pod["metadata"]
    return client.delete("Pod", about["name"], about["namespace"], uid=str(about["uid"]))


def _rows(keys: Iterable[UUID]) -> dict[UUID | None, Session]:
    sessions = Session.objects.filter(hub__in=Hub.objects.all(), key__in=set(keys))
    return {session.key: session for session in sessions.select_related("driven", "hub")}


def _is_over(session: Session, *, at: datetime) -> bool:
    """Whether nothing of the session may be in the cluster any more."""
    server = _driven(session)
    if server is not None:
        return server.cleaned_at is not None and server.cleaned_at < at
    return session.state(at=at) in OVER


def _driven(session: Session) -> Server | None:
    return getattr(session, "driven", None)


def _report(strange: list[Manifest], *, at: datetime) -> None:
    """Tell administrators what nobody may remove without them; the alert ends with its cause."""
    open_alerts = Alert.objects.filter(kind=Alert.Kind.STRAY_OBJECT, resolved_at=None)
    by_hub: dict[str, list[str]] = {}
    for each in strange:
        about = each["metadata"]
        hub = str((about.get("annotations") or {}).get(names.HUB, ""))
        line = f"{about['name']} in {about['namespace']}"
        by_hub.setdefault(hub, []).append(line)
    told = [_tell(hub, lines, at=at) for hub, lines in by_hub.items()]
    open_alerts.exclude(hub__in=[hub for hub in told if hub]).update(resolved_at=at)


def _tell(name: str, lines: list[str], *, at: datetime) -> Hub | None:
    hub = Hub.objects.filter(name=name).first() or _any_driven()
    if hub is not None:
        some = ", ".join(lines[:MOST_NAMED])
        detail = (
            f"{len(lines)} objects look like servers or Dask clusters of the portal, but no "
            f"session is known to have made them: {some}. They are left alone. Delete them if "
            "nobody needs them."
        )
        raise_alert(hub, Alert.Kind.STRAY_OBJECT, SUBJECT, detail, at=at)
    return hub


def _any_driven() -> Hub | None:
    return Hub.objects.filter(mode=Hub.Mode.DRIVE).first()
