"""Acting upon pods: evidence of their sessions, and the rows of servers that the portal runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from sessions.hub import pod_events
from sessions.hub.pod_events import PodEvent
from sessions.kubernetes import following, names, observing
from sessions.kubernetes.client import Client
from sessions.kubernetes.watching.pods import Manifest, shown, whose
from sessions.models import Hub, Server

LATE = timedelta(minutes=1)  # events may come after the pod is ready


def take_pods(pods: Iterable[Manifest], *, at: datetime, deleted: bool = False) -> int:
    """Write down what these pods show; how much of it was new."""
    pods = list(pods)
    by_hub: dict[str, list[PodEvent]] = defaultdict(list)
    for pod in pods:
        for event in shown(pod, at=at, deleted=deleted):
            by_hub[event.whose.hub].append(event)
    hubs = Hub.objects.filter(name__in=by_hub)
    new = sum(pod_events.take_in(hub, by_hub[hub.name], at=at) for hub in hubs)
    _follow(pods, at=at, deleted=deleted)
    return new


def take_events(client: Client, events: Iterable[Manifest], *, at: datetime) -> None:
    """Tell who waits for a server what the cluster says of its pod."""
    lately = Server.objects.filter(ready_at__gt=at - LATE)
    told = (Server.objects.in_motion() | lately).exclude(name="").select_related("session__hub")
    waiting = {(server.namespace, server.name): server for server in told}
    for event in events:
        about = event.get("involvedObject") or {}
        server = waiting.get((str(about.get("namespace")), str(about.get("name"))))
        pod = client.get("Pod", server.name, server.namespace) if server else None
        if server and pod and pod["metadata"]["uid"] == about.get("uid"):
            following.observe(server, pod, (event,), at=at)


def _follow(pods: Iterable[Manifest], *, at: datetime, deleted: bool) -> None:
    """Bring the rows of servers that the portal runs to what their pods show."""
    own = {key: pod for pod in pods if _is_own(pod) and (key := following.session_of(pod))}
    servers = Server.objects.unfinished().filter(session__key__in=own)
    for server in servers.filter(desired=Server.Desired.RUNNING).select_related("session__hub"):
        pod = own[server.session.key]
        about = whose(pod)
        if about is None or about.hub != server.session.hub.name:
            continue
        following.observe(server, pod, (), at=at)
        if deleted and pod["metadata"]["uid"] == server.pod_uid:
            observing.note_end(server, observing.POD_GONE, at=at)


def _is_own(pod: Manifest) -> bool:
    return (pod["metadata"].get("labels") or {}).get(names.MANAGER_LABEL) == names.MANAGER
