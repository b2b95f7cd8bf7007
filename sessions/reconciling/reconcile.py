"""Asking a hub for its servers. What it answers is evidence like its own snapshots, if believable.

Nothing here may be called inside a database transaction: hubs are asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection, transaction

from sessions.hub import ingest
from sessions.hub.alerts import raise_alert
from sessions.hub.client import HubClient, HubRefused, HubUnavailable
from sessions.hub.pages import Server
from sessions.hub.parse import Batch, canonical
from sessions.hub.seats import seat
from sessions.models import Alert, Hub, HubReading, Session
from sessions.reconciling import repairs
from sessions.reconciling.adopting import adopt
from sessions.reconciling.decisions import Finding, Margins, Open, believed, find

SUBJECT = "list of servers"
MOST_HELD = 12  # doubtful answers that are looked back on


def reconcile(hub: Hub, *, at: datetime, confirmed: bool = False) -> bool:
    """Ask the hub and follow its answer; whether it became evidence.

    An answer that would end too much, or does not look like this hub's, only raises an alert,
    unless it is `confirmed` by an administrator or comes three times. A hub that was asked less
    than half an interval ago is not asked again, unless confirmed.
    """
    if not confirmed and _was_asked_lately(hub, at=at):
        return False
    try:
        listing = HubClient.of(hub, at=at).active_servers()
    except (HubUnavailable, HubRefused) as error:
        raise_alert(hub, Alert.Kind.HUB_UNREAD, SUBJECT, f"{error} Nothing was changed.", at=at)
        return False
    _resolve(hub, Alert.Kind.HUB_UNREAD, at=at)
    margins = Margins(settings.MOST_ENDS_PERCENT, settings.HUB_CLOCK_SECONDS)
    with transaction.atomic():
        _lock(hub)
        finding = find(listing, _open(hub, at=at), asked_at=at, margins=margins)
        is_taken = _keep(hub, finding, listing.servers, at=at, confirmed=confirmed)
        if is_taken:
            count = len(listing.servers)
            left, too_many = adopt(hub, finding, listed=count, at=at, confirmed=confirmed)
            repairs.note(hub, left, too_many=too_many, at=at)
    return is_taken


def _was_asked_lately(hub: Hub, *, at: datetime) -> bool:
    """By the newest answer alone: its time is by the hub's clock, which may be ahead."""
    newest = HubReading.objects.filter(hub=hub).order_by("-pk").values_list("time", flat=True)
    half = timedelta(seconds=settings.RECONCILE_SECONDS / 2)
    return any(abs(at - time) < half for time in newest[:1])


def _lock(hub: Hub) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT hub_sessions_lock(%s)", [hub.pk])


def _open(hub: Hub, *, at: datetime) -> list[Open]:
    holding = Session.objects.filter(hub=hub).holding(at=at)
    rows = holding.values_list("seat", "ready_at")
    return [Open(place, ready_at) for place, ready_at in rows if place]


def _keep(
    hub: Hub, finding: Finding, servers: Iterable[Server], *, at: datetime, confirmed: bool
) -> bool:
    """Keep the answer, and take it in with those before it that count because of it."""
    HubReading.objects.create(
        hub=hub,
        time=finding.time,
        listed=len(servers := list(servers)),
        running=finding.running,
        missing=finding.missing,
        doubt=finding.doubt,
        servers=[_document(server) for server in servers],
    )
    waiting = _waiting(hub)
    count = believed([reading.doubt for reading in waiting], confirmed=confirmed)
    if not count:
        raise_alert(hub, Alert.Kind.HUB_DOUBTED, SUBJECT, _why(finding), at=at)
        return False
    _take(hub, waiting[-count:], at=at)
    _resolve(hub, Alert.Kind.HUB_DOUBTED, at=at)
    return True


def _waiting(hub: Hub) -> list[HubReading]:
    """The answers since the last one that counted, the oldest first."""
    newest_first = HubReading.objects.filter(hub=hub).order_by("-pk")[:MOST_HELD]
    waiting: list[HubReading] = []
    for reading in newest_first:
        if reading.is_taken:
            break
        waiting.insert(0, reading)
    return waiting


def _take(hub: Hub, readings: list[HubReading], *, at: datetime) -> None:
    rows = [_row(reading) for reading in readings]
    ingest.take_in(hub, Batch(rows, list(range(len(rows))), []), at=at)
    taken = [reading.pk for reading in readings]
    HubReading.objects.filter(pk__in=taken).update(is_taken=True, servers=None)


def _row(reading: HubReading) -> dict[str, Any]:
    """The answer as a snapshot: one event, which the portal writes for the hub."""
    identity, servers = uuid4().hex, reading.servers or []
    data = {"snapshot": f"asked-{identity}", "part": 1, "parts": 1, "source": "rest"}
    time = reading.time.isoformat().replace("+00:00", "Z")
    whole = {"type": "hub.snapshot", "time": time, "data": data | {"servers": servers}}
    return {
        "id": f"evt_{identity}",
        "epoch": identity,
        "seq": 0,
        "type": "hub.snapshot",
        "time": int(reading.time.timestamp()),
        "user": "",
        "server": "",
        "session": None,
        "data": data,
        "raw": canonical(whole),
        "sessions": [],
        "seats": [str(seat(each["user"], each["server"])) for each in servers],
        "starts": [each["started"] for each in servers],
    }


def _document(server: Server) -> dict[str, Any]:
    started = server.started_at.isoformat() if server.started_at else None
    return {"user": server.user, "server": server.server, "started": started}


def _why(finding: Finding) -> str:
    what = HubReading.Doubt(finding.doubt).label
    then = "mend the clock of the hub or of the portal"
    if finding.doubt == HubReading.Doubt.OTHER_HUB:
        then = "check the API URL; if it is right, run manage.py reconcile_hubs --even-many"
    elif finding.doubt != HubReading.Doubt.CLOCK:
        then = (
            "look at the hub; the third such answer in a row is believed, or the next one at once "
            "by manage.py reconcile_hubs --even-many"
        )
    return (
        f"The hub's list is not believed: {what}. Of {finding.running} sessions that run by the "
        f"records it lacks {finding.missing}. Nothing was changed. What to do: {then}."
    )


def _resolve(hub: Hub, kind: Alert.Kind, *, at: datetime) -> None:
    Alert.objects.filter(hub=hub, kind=kind, resolved_at=None).update(resolved_at=at)
