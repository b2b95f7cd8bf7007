"""Ends that only pods showed, kept as repairs once the hub has had time to say so itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from django.db.models import Exists, OuterRef

from lsp_portal.lib.display import plain_moment
from sessions.hub.pod_events import ENDED
from sessions.models import HubEvent, Repair, Session

EVENTS_TAKE = timedelta(minutes=5)
LOOKED_BACK = timedelta(days=7)
MOST = 500
TOLD = ("session.stopped", "session.failed")


def note(*, at: datetime) -> int:
    """Write down the ends of which no hub has told; how many."""
    found = [_repair(session, at=at) for session in _untold(at)]
    repairs = Repair.objects.bulk_create(found, ignore_conflicts=True)
    return len(repairs)


def _untold(at: datetime) -> list[Session]:
    lately = Session.objects.filter(
        ended_at__range=(at - LOOKED_BACK, at - EVENTS_TAKE), end_source=Session.EndSource.POD
    )
    told = HubEvent.objects.filter(hub=OuterRef("hub"), session=OuterRef("key"), type__in=TOLD)
    written = Repair.objects.filter(session=OuterRef("pk"), moment=OuterRef("ended_at"))
    return list(lately.filter(~Exists(told), ~Exists(written)).order_by("number")[:MOST])


def _repair(session: Session, *, at: datetime) -> Repair:
    end = cast("datetime", session.ended_at)
    event = HubEvent.objects.filter(
        hub=session.hub_id, session=session.key, time=end, type__startswith="pod."
    ).first()
    is_sure = event is not None and event.type == ENDED
    how = f"ended by itself ({session.end_reason})" if is_sure else "is not in the cluster any more"
    return Repair(
        hub_id=session.hub_id,
        kind=Repair.Kind.ENDED,
        session=session,
        user_name=session.user_name,
        server=session.server,
        seat=session.seat,
        moment=end,
        said=f"The hub said nothing. The pod {session.pod} {how}.",
        changed=f"Ended at {plain_moment(end)}, as the cluster shows.",
        confidence=Repair.Confidence.HIGH if is_sure else Repair.Confidence.MEDIUM,
        found_at=at,
    )
