"""Which of a session's events count, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from lsp_portal.lib.admin import pretty_document
from sessions.models import HubEvent, Session

STEPS = {
    "session.requested": 1, "session.ready": 2, "session.found": 4, "pod.ready": 5, "pod.gone": 6,
}  # fmt: skip
END, FOUND, POD_READY, POD_GONE = 3, 4, 5, 6


@dataclass(frozen=True, slots=True)
class Judged:
    """An event, whether a time of the session follows from it, and the reason in words."""

    event: HubEvent
    counts: bool
    why: str

    @property
    def document(self) -> SafeString:
        """The event as the hub sent it, escaped."""
        return pretty_document(self.event.raw)


def judged(session: Session, events: Sequence[HubEvent]) -> list[Judged]:
    """All events of the session in the order of their times, each judged by the merge rule.

    The rule is that of `sessions/hub/sql/evidence.sql`: the earliest request, the earliest ready,
    and the earliest end at or after ready; of one moment the lowest event id.
    """
    ordered = sorted(events, key=lambda e: (e.time, e.type == "pod.ended", e.event_id))
    steps = (1, 2, END, FOUND, POD_READY, POD_GONE)
    deciding = {step: _deciding(session, ordered, step) for step in steps}
    if deciding[2] is not None:
        deciding[FOUND] = None
    if deciding[2] or deciding[FOUND] or any(e.type == "session.failed" for e in ordered):
        deciding[POD_READY] = None
    if deciding[END] is not None:
        deciding[POD_GONE] = None
    return [_judged(session, event, deciding[_step(event)]) for event in ordered]


def _step(event: HubEvent) -> int:
    return STEPS.get(event.type, END)


def _deciding(session: Session, ordered: Sequence[HubEvent], step: int) -> HubEvent | None:
    found = [event for event in ordered if _step(event) == step]
    if step == END:
        found = [event for event in found if not _is_early(session, event)] or found
    if step == POD_GONE:
        found = [event for event in found if not _is_early(session, event)]
    return found[0] if found else None


def _is_early(session: Session, event: HubEvent) -> bool:
    return session.ready_at is not None and event.time < session.ready_at


def _judged(session: Session, event: HubEvent, deciding: HubEvent | None) -> Judged:
    step = _step(event)
    if event != deciding:
        return Judged(event, counts=False, why=_why_not(session, event, step))
    if step in (END, POD_GONE):
        return _judged_end(session, event)
    if step == POD_READY:
        return Judged(event, counts=True, why="The hub says no ready; its pod does.")
    if step == FOUND:
        return Judged(event, counts=True, why="No event says when it was ready; two lists do.")
    given = "requested, and what was asked for" if step == 1 else "ready"
    return Judged(event, counts=True, why=f"It is the earliest and gives the time {given}.")


def _why_not(session: Session, event: HubEvent, step: int) -> str:
    if step in (END, POD_GONE) and _is_early(session, event):
        return "It lies before the server was ready."
    if step == POD_READY:
        return "The hub's word on how it began counts; the pod gives the node."
    if step == POD_GONE:
        return "Other evidence says when it stopped."
    if step == FOUND:
        return "The hub's own events say when it was ready."
    same = {1: "request", 2: "ready", END: "end"}[step]
    return f"An earlier {same} was reported (of one moment, the lowest event id counts)."


def _judged_end(session: Session, event: HubEvent) -> Judged:
    if session.ended_at != event.time:
        return Judged(event, counts=False, why="Other evidence puts the end at another time.")
    return Judged(event, counts=True, why="It is the earliest end that is not before ready.")
