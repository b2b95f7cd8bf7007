"""Sessions whose pod was seen in the cluster and is in a list no more.

A list that lacks a crowd of them is rather wrong, or of another cluster: it changes nothing and
raises an alert, until the lists have said so for a while.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from lsp_portal.lib.crowds import is_crowd
from sessions.hub import pod_events
from sessions.hub.alerts import raise_alert
from sessions.hub.pod_events import GONE, READY, PodEvent, Whose
from sessions.kubernetes.client import Client
from sessions.kubernetes.watching.sources import Source
from sessions.models import Alert, ClusterWatch, Hub, HubEvent, Session

BELIEVED_AFTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Seen:
    """A session that is open, and its pod as the cluster showed it last."""

    hub: Hub
    whose: Whose
    uid: str
    pod: str
    namespace: str


def end_absent(
    client: Client, source: Source, present: Collection[str], *, asked_at: datetime
) -> int:
    """End sessions whose pods are not among `present` of a list asked for then; how many.

    Each is asked for by name before it is believed: the list may be older than the pod.
    """
    seen = [each for each in _open(asked_at) if source.covers(each.namespace)]
    missing = [each for each in seen if each.uid not in present]
    hubs = {each.hub for each in missing}
    if doubted(source, hubs, missing=len(missing), of=len(seen), at=asked_at):
        return 0
    return _end([each for each in missing if _is_gone(client, each)], at=asked_at)


def _open(before: datetime) -> list[Seen]:
    """Sessions that run by the records and whose pods were seen before."""
    running = Session.objects.filter(ended_at=None, ready_at__lt=before).exclude(pod_uid="")
    sessions: dict[tuple[int, UUID | None], Session] = {
        (each.hub_id, each.key): each for each in running.select_related("hub")
    }
    shown = HubEvent.objects.filter(
        hub__in={hub for hub, _ in sessions}, session__in={key for _, key in sessions}, type=READY
    )
    known: dict[str, Seen] = {}
    for event in shown.order_by("time", "pk"):
        session = sessions.get((event.hub_id, event.session))
        if session is not None:
            known[str(session.pk)] = _seen(session, event.data)
    return list(known.values())


def _seen(session: Session, data: dict[str, Any]) -> Seen:
    about = Whose(session.hub.name, session.key, session.user_name, session.server)
    return Seen(session.hub, about, data["pod_uid"], data["pod"], data["namespace"])


def doubted(source: Source, hubs: Iterable[Hub], *, missing: int, of: int, at: datetime) -> bool:
    """Whether a list that lacks so many of the pods it should have is not believed yet.

    The administrators of these hubs are told then, and that it is over afterwards.
    """
    if _is_doubted(source, missing, of, at=at):
        for hub in hubs:
            raise_alert(hub, Alert.Kind.PODS_DOUBTED, source.name, _why(missing, of), at=at)
        return True
    open_alerts = Alert.objects.filter(kind=Alert.Kind.PODS_DOUBTED, subject=source.name)
    open_alerts.filter(resolved_at=None).update(resolved_at=at)
    return False


def _is_doubted(source: Source, missing: int, of: int, *, at: datetime) -> bool:
    """Note since when the lists lack a crowd; whether that is still too short to believe it."""
    row = ClusterWatch.objects.get_or_create(source=source.name)[0]
    is_odd = is_crowd(missing, of=of, percent=settings.MOST_ENDS_PERCENT)
    row.doubted_at = (row.doubted_at or at) if is_odd else None
    row.save(update_fields=["doubted_at"])
    return row.doubted_at is not None and at - row.doubted_at < BELIEVED_AFTER


def _is_gone(client: Client, seen: Seen) -> bool:
    pod = client.get("Pod", seen.pod, seen.namespace)
    return pod is None or pod["metadata"]["uid"] != seen.uid


def _end(gone: Iterable[Seen], *, at: datetime) -> int:
    by_hub: dict[int, list[Seen]] = defaultdict(list)
    for each in gone:
        by_hub[each.hub.pk].append(each)
    moment = at.replace(microsecond=0)
    return sum(
        pod_events.take_in(
            some[0].hub,
            [PodEvent(GONE, e.whose, e.uid, moment, {"reason": "unknown"}) for e in some],
            at=at,
        )
        for some in by_hub.values()
    )


def _why(missing: int, of: int) -> str:
    return (
        f"The list lacks {missing} of {of} pods whose sessions run. Nothing was "
        f"changed. If it stays so for {BELIEVED_AFTER // timedelta(minutes=1)} minutes it is "
        "believed. Is it still the same cluster, and may the portal see all of it?"
    )
