"""Keeping what lists of servers changed, in words for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from django.db.models import Exists, OuterRef

from lsp_portal.lib.display import plain_moment
from sessions.hub.alerts import raise_alert
from sessions.hub.pages import Server
from sessions.hub.seats import seat
from sessions.models import Alert, Hub, Repair, Session, Snapshot
from sessions.reconciling.decisions import confidence

MOST = 500  # ends that are written in one run; the next one goes on
SUBJECT = "servers without a session"
TOO_MANY = (
    "So many at once are not made into sessions. If the list is right, run "
    "manage.py reconcile_hubs --even-many."
)
FOUND_BY = (Session.EndSource.REST, Session.EndSource.SNAPSHOT)


def note(hub: Hub, unrecorded: Sequence[Server], *, too_many: bool, at: datetime) -> None:
    """Write down what is new: ends that were only found, and servers that no session is of.

    `too_many`: so many at once that no sessions are made of them.
    """
    ends = [_end(session, at=at) for session in _unwritten(hub)]
    found = [_server(hub, server, at=at) for server in unrecorded]
    Repair.objects.bulk_create([*ends, *found], ignore_conflicts=True)
    if unrecorded:
        raise_alert(hub, Alert.Kind.UNRECORDED, SUBJECT, _alert(unrecorded, too_many), at=at)
    else:
        open_alerts = Alert.objects.filter(hub=hub, kind=Alert.Kind.UNRECORDED, resolved_at=None)
        open_alerts.update(resolved_at=at)


def _unwritten(hub: Hub) -> list[Session]:
    written = Repair.objects.filter(session=OuterRef("pk"), moment=OuterRef("ended_at"))
    found = Session.objects.filter(hub=hub, absent_at__isnull=False, end_source__in=FOUND_BY)
    return list(found.filter(~Exists(written)).order_by("number")[:MOST])


def _end(session: Session, *, at: datetime) -> Repair:
    end, ready_at = cast("datetime", session.ended_at), cast("datetime", session.ready_at)
    seen_at = _seen_at(session.hub_id, end, ready_at)
    what = "answer to the portal" if session.end_source == "rest" else "snapshot"
    said = (
        f"The {what} of {plain_moment(end)} and the list after it lack the server; "
        f"the list before, or ready, was at {plain_moment(seen_at)}."
    )
    minutes = -((seen_at - end) // timedelta(minutes=1))
    return Repair(
        hub_id=session.hub_id,
        kind=Repair.Kind.ENDED,
        session=session,
        user_name=session.user_name,
        server=session.server,
        seat=session.seat,
        moment=end,
        said=said,
        changed=f"Ended at the first of the two; it may have ended up to {minutes} min earlier.",
        confidence=confidence(end, seen_at),
        found_at=at,
    )


def _seen_at(hub: int, end: datetime, ready_at: datetime) -> datetime:
    """When the server was surely there last: the list before its end, or when it became ready."""
    before = Snapshot.objects.filter(hub=hub, is_complete=True, time__lt=end, time__gt=ready_at)
    return before.order_by("-time").values_list("time", flat=True).first() or ready_at


def _server(hub: Hub, server: Server, *, at: datetime) -> Repair:
    return Repair(
        hub=hub,
        kind=Repair.Kind.UNRECORDED,
        user_name=server.user,
        server=server.server,
        seat=seat(server.user, server.server),
        moment=cast("datetime", server.started_at),
        said="The hub has a server that is ready, of which no event arrived.",
        changed="Nothing yet. If the next list has it too, it becomes a session, unless so many "
        "come at once that the list is rather wrong.",
        confidence=Repair.Confidence.HIGH,
        found_at=at,
    )


def _alert(unrecorded: Sequence[Server], too_many: bool) -> str:
    some = ", ".join(f"{s.user}/{s.server}".rstrip("/") for s in unrecorded[:5])
    return (
        f"The hub has {len(unrecorded)} servers of which no event arrived ({some}). They are "
        "charged to nobody. Is the portal's plugin loaded there, and does it deliver? "
        + (TOO_MANY if too_many else "What the next list has as well becomes a session.")
    )
