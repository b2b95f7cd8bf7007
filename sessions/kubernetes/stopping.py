"""Taking a server out of the cluster. It is gone when the cluster says so, not before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings

from sessions.driving import evidence, states
from sessions.driving.claims import claimed
from sessions.driving.steps import tell
from sessions.driving.vocabulary import Reason
from sessions.hub.alerts import raise_alert
from sessions.kubernetes import names
from sessions.kubernetes.client import Client, Manifest
from sessions.kubernetes.configuration import NotConfigured, cluster
from sessions.kubernetes.failures import KubernetesError
from sessions.kubernetes.manifests.server import SERVER_KINDS
from sessions.kubernetes.reason_rules import WAITS
from sessions.models import Alert, Server

AGAIN_AFTER = timedelta(seconds=2)


def stop(number: int, *, at: datetime, now: Callable[[], datetime]) -> timedelta | None:
    """Remove what there is of the server; when to look again, None where nothing is left."""
    with claimed(Server.objects.to_remove(at=at), number, at=at) as server:
        if server is None:
            return None
        evidence.report_end(server, at=at)
        try:
            is_gone = not server.name or not remove(Client.of(cluster()), server)
        except (KubernetesError, NotConfigured) as error:
            _note_trouble(server, str(error), at=now())
            return AGAIN_AFTER
        moment = now()
        if is_gone:
            evidence.report_stop(server, at=moment)
            states.mark_clean(server, at=moment)
            return None
        _note_trouble(server, "Its pod is still there.", at=moment)
        return AGAIN_AFTER


def remove(client: Client, server: Server) -> int:
    """Ask for the end of everything that is there; the number of objects that still were."""
    found = [(kind, _own(client, kind, server)) for kind in SERVER_KINDS]
    for kind, live in found:
        if live and "deletionTimestamp" not in live["metadata"]:
            uid = str(live["metadata"]["uid"])
            client.delete(kind, server.name, server.namespace, uid=uid)
    return sum(live is not None for _, live in found)


def _own(client: Client, kind: str, server: Server) -> Manifest | None:
    """The object if it is the server's: a stranger of that name is left alone."""
    live = client.get(kind, server.name, server.namespace)
    if live is None:
        return None
    known = live["metadata"].get("annotations") or {}
    return live if known.get(names.SESSION) == str(server.session.key) else None


def _note_trouble(server: Server, why: str, *, at: datetime) -> None:
    """After the time that a stop may take, people and administrators are told that it lasts."""
    since = server.stop_asked_at or server.changed_at
    if at - since < timedelta(seconds=settings.KUBERNETES_STOP_SECONDS):
        return
    text = "The server does not end; an administrator of the platform has been told."
    tell(server, [Reason("not_gone", text, WAITS)], at=at)
    detail = f"{server.name} in {server.namespace} should have ended. {why}"
    raise_alert(server.session.hub, Alert.Kind.NOT_GONE, f"session {server.pk}", detail, at=at)
