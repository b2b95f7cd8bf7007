"""How a server goes from one state to the next: each a conditional update, so nothing goes back.

Every function returns whether it was this call that made the change.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from lsp_portal.lib.display import duration
from sessions.dask.states import stop_clusters_of
from sessions.driving import messages
from sessions.driving.steps import tell
from sessions.driving.vocabulary import Reason
from sessions.grants import withdraw
from sessions.models import Server

State, Desired = Server.State, Server.Desired

BEFORE_READY = (State.ASKED, State.CREATING, State.STARTING)
UNASKED = "Stopped before it was ready."


def mark_creating(server: Server, *, at: datetime) -> bool:
    return _change(server, (State.ASKED, State.CREATING), at=at, state=State.CREATING)


def mark_starting(server: Server, *, pod_uid: str, at: datetime) -> bool:
    """Everything is in the cluster: the portal need not keep the environment any longer."""
    return _change(
        server, (State.CREATING,), at=at, state=State.STARTING, pod_uid=pod_uid, sealed=b""
    )


def mark_ready(
    server: Server, *, address: str, node: str, ready_at: datetime, at: datetime
) -> bool:
    changed = _change(
        server,
        (State.STARTING,),
        at=at,
        state=State.READY,
        address=address,
        node=node,
        ready_at=ready_at,
    )
    if changed:
        waited = duration(ready_at - server.asked_at)
        tell(server, [Reason("ready", f"The server is ready after {waited}.")], at=at)
    return changed


@transaction.atomic
def fail(server: Server, reason: Reason, *, at: datetime) -> bool:
    """The start is given up: people are told why, and what is in the cluster is removed."""
    changed = _change(
        server, BEFORE_READY, at=at, state=State.FAILED, **_over(reason), **_ended(reason)
    )
    if changed:
        tell(server, [reason], at=at)
        withdraw(server.session_id, reason=reason.text, at=at)
        messages.stop_soon(server.pk)
    return changed


@transaction.atomic
def end(server: Server, reason: Reason, *, at: datetime) -> bool:
    """A server that was ready has ended by itself: its remains are removed."""
    changed = _change(
        server, (State.READY,), at=at, state=State.STOPPING, **_over(reason), **_ended(reason)
    )
    if changed:
        tell(server, [reason], at=at)
        stop_clusters_of([server.pk], at=at)
        messages.stop_soon(server.pk)
    return changed


@transaction.atomic
def stop(server: Server, *, at: datetime, why: str = "", reason: str = "") -> bool:
    """The server is not wanted any more; it is `gone` when the cluster has nothing of it.

    `reason` is that of its end where no hub is going to tell it.
    """
    changed = _change(
        server,
        (*BEFORE_READY, State.READY),
        at=at,
        state=State.STOPPING,
        desired=Desired.STOPPED,
        sealed=b"",
        stop_asked_at=at,
        stop_reason=reason,
    )
    if changed:
        step = Reason("stopping", why or "Asked to stop; the server is being ended.")
        tell(server, [step], at=at)
        stop_clusters_of([server.pk], at=at)
    if not server.cleaned_at:
        messages.stop_soon(server.pk)
    return changed


@transaction.atomic
def mark_clean(server: Server, *, at: datetime) -> bool:
    """Nothing of the server is in the cluster any more."""
    left = Server.objects.filter(pk=server.pk, cleaned_at=None, desired=Desired.STOPPED)
    left.filter(ended_at=None).update(ended_at=at)
    changed = bool(
        left.filter(state=State.STOPPING).update(
            state=State.GONE, cleaned_at=at, changed_at=at, claimed_until=None
        )
        or left.filter(state=State.FAILED).update(cleaned_at=at, changed_at=at, claimed_until=None)
    )
    if changed:
        tell(server, [Reason("gone", "The server is gone; nothing of it is left.")], at=at)
        withdraw(server.session_id, reason=UNASKED, at=at)
    return changed


def _over(reason: Reason) -> dict[str, Any]:
    return {
        "desired": Desired.STOPPED,
        "sealed": b"",
        "failure_code": reason.code,
        "failure_message": reason.text,
    }


def _ended(reason: Reason) -> dict[str, Any]:
    known = {"exit_code": reason.facts.get("exit_code"), "ended_at": reason.at}
    return {name: value for name, value in known.items() if value is not None}


def _change(server: Server, before: tuple[str, ...], *, at: datetime, **values: Any) -> bool:
    wanted = Server.objects.filter(pk=server.pk, desired=Desired.RUNNING, state__in=before)
    if not wanted.update(changed_at=at, **values):
        return False
    server.refresh_from_db()
    return True
