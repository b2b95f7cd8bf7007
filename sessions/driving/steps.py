"""The steps of a server, kept once each and in the order in which they were told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from sessions.driving.vocabulary import Reason
from sessions.models import Server, ServerStep

GRANTED = 1  # the cursor behind the grant, which is told before any step
MOST_STEPS = 200  # of one server; a pod that is restarted for ever must not fill the table


def tell(server: Server, reasons: Iterable[Reason], *, at: datetime) -> None:
    """Add the steps that were not told yet."""
    new = {reason.identity: reason for reason in reasons}
    if not new:
        return
    with transaction.atomic():
        # One writer at a time, so that the cursor of a reader never passes a step unseen.
        Server.objects.select_for_update(no_key=True).get(pk=server.pk)
        known = set(server.steps.filter(key__in=new).values_list("key", flat=True))
        last = server.steps.aggregate(last=Max("seq"))["last"] or GRANTED
        fresh = [reason for identity, reason in new.items() if identity not in known]
        ServerStep.objects.bulk_create(
            _row(server, seq, reason, at)
            for seq, reason in enumerate(fresh[: MOST_STEPS - last], start=last + 1)
        )


def _row(server: Server, seq: int, reason: Reason, at: datetime) -> ServerStep:
    return ServerStep(
        server=server,
        seq=seq,
        key=reason.identity,
        at=reason.at or at,
        code=reason.code,
        message=reason.message,
        advice=reason.advice,
        facts=dict(reason.facts),
    )
