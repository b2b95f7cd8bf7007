"""What people corrected on a session, and asked to correct, as pages show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import Group, User
from sessions.models import Adjustment, Reattribution, Session
from sessions.reattributing.choices import payer
from sessions.reattributing.requests import may_ask

MOST = 50


@dataclass(frozen=True, slots=True)
class Corrections:
    """Who pays now, what was booked and what was asked, the newest first; at most 50 of each."""

    paying: Group | None
    may_ask: bool
    booked: list[Adjustment]
    asked: list[Reattribution]


def corrections(session: Session, user: User, *, at: datetime) -> Corrections:
    """Everything of that session; `may_ask`: whether the person may ask another group to pay."""
    asked = session.reattributions.select_related(
        "from_group", "to_group", "asked_by", "decided_by"
    )[:MOST]
    is_asked = any(row.state == Reattribution.State.OPEN for row in asked)
    paying = payer(session)
    may = paying is not None and not is_asked and session.user_id is not None
    return Corrections(
        paying=paying,
        may_ask=bool(may and paying and may_ask(user, session, paying, at=at)),
        booked=list(_newest_first([session.number])[:MOST]),
        asked=list(asked),
    )


def in_words(sessions: Sequence[Session]) -> dict[int, str]:
    """Of those whose charge was corrected, by number, how; one query for all of them."""
    found = {session.number: session for session in sessions}
    words: dict[int, str] = {}
    for made in _newest_first(list(found)):
        words.setdefault(made.session_id, _words(found[made.session_id], made))
    return words


def _newest_first(numbers: Sequence[int]) -> QuerySet[Adjustment]:
    rows = Adjustment.objects.filter(session__in=numbers).order_by("-pk")
    return rows.select_related("author", "taken_back__group", "booked__group", "request")


def _words(session: Session, newest: Adjustment) -> str:
    """Empty where the newest correction took the others back."""
    booked = newest.booked
    if booked.group_id != session.group_id:
        before = session.group.title if session.group else "nobody"
        return f"moved from {before} to {booked.group.title if booked.group else 'nobody'}"
    is_as_told = (booked.started_at, booked.ended_at) == (session.ready_at, session.ended_at)
    return "" if is_as_told else "its times were corrected"
