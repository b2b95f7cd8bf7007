"""Records beside the truth, within the tolerance that docs/reconciling.md states.

Moments of the truth are true seconds since 1970; those of records are by the hub's clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.diary import Life
from tests.chaos.site import POLL_SECONDS, Absence

WHOLE_SECOND = 1  # the fraction of a moment is cut off
BUSY = 5.0  # seconds within which a busy hub notices what it is told or asks


@dataclass(frozen=True)
class Record:
    """What the portal holds of a session; moments in seconds since 1970."""

    session: str
    ready: int | None
    ended: int | None
    source: str


@dataclass(frozen=True)
class Tolerance:
    """How far records may be from the truth: the hub's clock, and when the hub was away."""

    skew: float
    absences: Sequence[Absence]

    def holds(self, recorded: int | None, true: float, delay: float) -> bool:
        """Whether it was recorded, not before the truth and not later than it could be noticed."""
        latest = self.noticed(true, delay) + self.skew
        return recorded is not None and (
            math.floor(true + self.skew) <= recorded + WHOLE_SECOND and recorded <= latest
        )

    def noticed(self, true: float, delay: float) -> float:
        """When the hub, if it was away meanwhile, has noticed what happened then at the latest."""
        for absence in self.absences:
            if absence.since <= true + delay and true <= absence.until:
                true = absence.until
        return true + delay

    def is_unfinished(self, began: float) -> bool:
        """Whether the hub was killed about when a server began, so that it may have lost it."""
        return any(abs(absence.since - began) <= BUSY for absence in self.absences)


def faults(
    lives: Sequence[Life], records: Sequence[Record], running: set[str], tolerance: Tolerance
) -> list[str]:
    """What contradicts the truth; `running` are the sessions of servers that the hub has."""
    by_session = {record.session: record for record in records}
    known = {life.session for life in lives}
    invented = [f"no server ever: {r}" for r in records if r.ready and r.session not in known]
    doubled = ["sessions with two records"] if len(by_session) < len(records) else []
    wrong = [
        f"{what}: {life} {by_session.get(life.session)}"
        for life in lives
        if (what := _fault(life, by_session.get(life.session), running, tolerance))
    ]
    return doubled + invented + wrong


def _fault(life: Life, record: Record | None, running: set[str], tolerance: Tolerance) -> str:
    if record is None:
        return "no record"
    if record.ready is None:
        return "" if tolerance.is_unfinished(life.began) and record.ended else "never ready"
    if not tolerance.holds(record.ready, life.began, BUSY):
        return "ready at another time"
    if life.session in running:
        return "ended, and runs" if record.ended else ""
    if life.ended is None:
        return "forgotten by the hub"
    is_right = tolerance.holds(record.ended, life.ended, BUSY + POLL_SECONDS)
    return "" if is_right else "ended at another time"
