"""Looking at all servers on their way up or down at once: one look however many they are."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from lsp_portal.lib.display import cores, mebibytes
from sessions.driving import messages
from sessions.kubernetes import names, observing
from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import Cluster, NotConfigured, cluster
from sessions.kubernetes.failures import KubernetesError
from sessions.kubernetes.reasons import Hints, Usual, node_of
from sessions.models import ClusterLook, Server, ServerStep
from sessions.rooms import titles_with_room

Manifest = Mapping[str, Any]
LOG = logging.getLogger(__name__)
State = Server.State

PAUSE = timedelta(seconds=2)  # between two looks
SHORTEST = timedelta(seconds=1.5)  # a look that comes sooner after another is left out
LAST_PULLS = 5


def follow(*, at: datetime) -> bool:
    """Look once, unless somebody just did; whether to look again after a pause.

    A server that comes into motion meanwhile is not forgotten: it is committed before its own
    message is sent, and the last look asks again after it said that it was the last.
    """
    if not _take_turn(at):
        return False
    observing.give_up_overdue(at=at)
    moving = _moving()
    try:
        if moving:
            here = cluster()
            look(Client.of(here), here, moving, at=at)
    except (KubernetesError, NotConfigured) as error:
        LOG.warning("the cluster could not be looked at: %s", error)
    if Server.objects.in_motion().exists():
        return True
    ClusterLook.objects.update(taken_at=None)
    return Server.objects.in_motion().exists()


def _take_turn(at: datetime) -> bool:
    ClusterLook.objects.get_or_create(pk=1)
    free = Q(taken_at=None) | Q(taken_at__lte=at - SHORTEST)
    return bool(ClusterLook.objects.filter(free).update(taken_at=at))


def _moving() -> list[Server]:
    moving = Server.objects.in_motion().select_related("session__hub")
    return list(moving.order_by("pk"))


def look(client: Client, here: Cluster, servers: Iterable[Server], *, at: datetime) -> None:
    """Bring these servers to what the cluster shows of them now."""
    servers = list(servers)
    namespace = None if here.is_per_user else here.namespace
    pods = _by_session(client.list("Pod", namespace, selector=names.NOTEBOOKS))
    events = _events(client, servers)
    for server in servers:
        pod = pods.get(server.session.key)
        if server.desired == Server.Desired.STOPPED:
            if pod is None or "deletionTimestamp" not in pod["metadata"]:
                messages.stop_soon(server.pk)
        elif pod is not None:
            observe(server, pod, events[str(pod["metadata"]["uid"])], at=at)
        elif server.state in (State.STARTING, State.READY):
            note_absence(client, server, at=at)


def observe(server: Server, pod: Manifest, events: Iterable[Manifest], *, at: datetime) -> None:
    """Bring one server to what its pod shows."""
    seen = observing.sight(pod, events, port=server.port, hints=hints(server, pod, at=at))
    observing.note(server, seen, at=at)


def note_absence(client: Client, server: Server, *, at: datetime) -> None:
    """A list lacks the pod. It may be older than the pod: ask for it by name."""
    pod = client.get("Pod", server.name, server.namespace)
    if pod is None or str(pod["metadata"]["uid"]) != server.pod_uid:
        observing.note_end(server, observing.POD_GONE, at=at)


def hints(server: Server, pod: Manifest, *, at: datetime) -> Hints:
    """What the server needs in words, what is known of its image, and what would start instead
    while it waits for a node.
    """
    session = server.session
    needs = f"{cores(session.cpu_millicores)} CPU and {mebibytes(session.memory_mib)}"
    fits = None if node_of(pod) else titles_with_room(session, at=at)
    return Hints(needs=needs, fits=fits, usual=_usual(session.image))


def _usual(image: str) -> Usual:
    """The mean of the last pulls of the image."""
    pulls = ServerStep.objects.filter(code="pulled", server__session__image=image)
    last = list(pulls.order_by("-pk").values_list("facts", flat=True)[:LAST_PULLS])
    seconds = [facts["seconds"] for facts in last if facts.get("seconds")]
    sizes = [facts["bytes"] for facts in last if facts.get("bytes")]
    mean = sum(seconds) / len(seconds) if seconds else None
    return Usual(sizes[0] if sizes else None, mean)


def _by_session(pods: Iterable[Manifest]) -> dict[UUID, Manifest]:
    return {key: pod for pod in pods if (key := session_of(pod))}


def session_of(manifest: Manifest) -> UUID | None:
    """The session that an object says it is of."""
    known = manifest["metadata"].get("annotations") or {}
    try:
        return UUID(known.get(names.SESSION, ""))
    except ValueError:
        return None


def _events(client: Client, servers: Iterable[Server]) -> dict[str, list[Manifest]]:
    """The events of pods by UID, where somebody waits for a pod."""
    waiting = {s.namespace for s in servers if s.state == State.STARTING and s.is_wanted}
    found: dict[str, list[Manifest]] = defaultdict(list)
    for namespace in sorted(waiting):
        for event in client.list("Event", namespace):
            found[str((event.get("involvedObject") or {}).get("uid"))].append(event)
    return found
