"""Corrections that people make: other times, or another group that pays.

A correction is a pair of charges with opposite signs: one takes back what was charged, the other
books what is charged instead. The notebook charge goes on following its evidence, and nothing that
was published is edited.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from django.db import connection, transaction

from accounts.models import Group, Membership, User
from lsp_portal.lib.display import core_hours
from sessions.models import Adjustment, Charge, Session


@dataclass
class AdjustmentRefused(Exception):  # noqa: N818 - a decision, not a fault
    """The session cannot be corrected like that; the text says why, and what would be right."""

    code: str
    detail: str
    status = 409

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True, slots=True)
class Booking:
    """What a session is charged: the interval, who pays for whom, and the resources."""

    user_id: int | None
    group_id: int | None
    started_at: datetime
    ended_at: datetime
    cpu_millicores: int
    memory_mib: int
    gpus: int

    @property
    def millicore_seconds(self) -> int:
        return int((self.ended_at - self.started_at).total_seconds()) * self.cpu_millicores


@dataclass(frozen=True, slots=True)
class Pair:
    """One adjustment that is to be booked."""

    taken_back: Booking
    booked: Booking
    from_evidence: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What is charged for a session now, and what its evidence says of it.

    `base` is what the adjustments in force took back; where evidence came after them, it is no
    longer what the evidence says.
    """

    evidence: Booking
    charged: Booking
    base: Booking


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an adjustment would do, in words, and the pairs that do it."""

    summary: str
    pairs: tuple[Pair, ...]


def standing(session: Session) -> Standing:
    """What is charged now. Raises AdjustmentRefused where nothing is, or not for good yet."""
    evidence = _evidence(session)
    made = list(session.adjustments.select_related("taken_back", "booked").order_by("pk"))
    first = next((one for one in reversed(made) if one.from_evidence), None)
    if first is None or _booking(made[-1].booked) == _booking(first.taken_back):
        return Standing(evidence, evidence, evidence)
    return Standing(evidence, _booking(made[-1].booked), _booking(first.taken_back))


def propose(
    session: Session,
    *,
    at: datetime,
    group: Group | None = None,
    started_at: datetime | None = None,
    ended_at: datetime | None = None,
) -> Proposal:
    """What would be booked so that the session is charged like this; None leaves as it is.

    Raises AdjustmentRefused.
    """
    now = standing(session)
    wanted = replace(
        now.charged,
        group_id=group.pk if group else now.charged.group_id,
        started_at=(started_at or now.charged.started_at).replace(microsecond=0),
        ended_at=(ended_at or now.charged.ended_at).replace(microsecond=0),
    )
    _check_times(session, wanted, at=at)
    if group is not None and group.pk != now.charged.group_id:
        _check_member(session, group)
    return _proposal(now, wanted)


def propose_undo(session: Session) -> Proposal:
    """What would be booked so that the session is charged as its evidence says."""
    now = standing(session)
    return _proposal(now, now.evidence)


@transaction.atomic
def adjust(
    session: Session,
    *,
    author: User,
    reason: str,
    at: datetime,
    group: Group | None = None,
    started_at: datetime | None = None,
    ended_at: datetime | None = None,
) -> list[Adjustment]:
    """Book that the session is charged like this from now on; None leaves as it is.

    One adjustment, or two where evidence came in after an earlier one, which is then undone first.
    Raises AdjustmentRefused.
    """
    locked = _locked(session)
    proposal = propose(locked, at=at, group=group, started_at=started_at, ended_at=ended_at)
    return _book(locked, proposal, author=author, reason=reason, at=at)


@transaction.atomic
def undo(session: Session, *, author: User, reason: str, at: datetime) -> list[Adjustment]:
    """Charge the session as its evidence says, by another adjustment. Raises AdjustmentRefused."""
    locked = _locked(session)
    return _book(locked, propose_undo(locked), author=author, reason=reason, at=at)


def _locked(session: Session) -> Session:
    """The session, for one correction at a time."""
    return Session.objects.select_for_update(no_key=True).get(pk=session.pk)


def _evidence(session: Session) -> Booking:
    charge = session.charges.filter(origin=Charge.Origin.NOTEBOOK).first()
    if charge is None:
        why = "it is a rescue session" if session.is_rescue else "it never became ready"
        raise AdjustmentRefused("not_charged", f"Nothing is charged for this session: {why}.")
    if charge.ended_at is None:
        raise AdjustmentRefused(
            "not_ended", "The session has not ended. Stop it first, and correct it afterwards."
        )
    if charge.group_id is None:
        raise AdjustmentRefused("unattributed", "Nobody pays for this session yet: attribute it.")
    return _booking(charge)


def _booking(charge: Charge) -> Booking:
    return Booking(
        charge.user_id,
        charge.group_id,
        charge.started_at,
        cast(datetime, charge.ended_at),
        charge.cpu_millicores,
        charge.memory_mib,
        charge.gpus,
    )


def _check_times(session: Session, wanted: Booking, *, at: datetime) -> None:
    if wanted.ended_at < wanted.started_at:
        raise AdjustmentRefused("ends_before_start", "The end must not be before the start.")
    if wanted.ended_at > at:
        raise AdjustmentRefused("in_the_future", "The end must not be in the future.")
    begins_at = session.begins_at
    if begins_at is not None and wanted.started_at < begins_at:
        raise AdjustmentRefused(
            "before_request",
            f"The session was asked for at {begins_at:%Y-%m-%d %H:%M:%S} UTC:"
            " it cannot be charged from before that.",
        )


def _check_member(session: Session, group: Group) -> None:
    then = cast(datetime, session.ready_at)  # what is charged was ready
    memberships = Membership.objects.filter(user=session.user_id, group=group)
    if not memberships.valid(at=then).exists():
        raise AdjustmentRefused(
            "not_a_member",
            f"{session.user} was no member of {group} on {then:%Y-%m-%d}, when the session"
            " began. Choose a group that the person belonged to then.",
        )


def _proposal(now: Standing, wanted: Booking) -> Proposal:
    """Evidence that came after an adjustment is met by undoing that adjustment first."""
    pairs: list[Pair] = []
    charged = now.charged
    if now.base != now.evidence:
        pairs.append(Pair(now.charged, now.base, from_evidence=False))
        charged = now.evidence
    if charged != wanted:
        pairs.append(Pair(charged, wanted, from_evidence=charged == now.evidence))
    if not pairs:
        raise AdjustmentRefused("no_change", "The session is charged like this already.")
    return Proposal(_summary(charged, wanted), tuple(pairs))


def _summary(before: Booking, after: Booking) -> str:
    names = dict(Group.objects.filter(pk__in=(before.group_id, after.group_id)).values_list(
        "pk", "name"))  # fmt: skip
    old, new = core_hours(before.millicore_seconds), core_hours(after.millicore_seconds)
    payer, later = names[before.group_id or 0], names[after.group_id or 0]
    day = f"{before.started_at:%Y-%m-%d}"
    if before == after:
        return f"The session of {day} is charged as its evidence says: {old} core-hours to {payer}."
    if payer == later:
        return f"The session of {day} costs {payer} {new} core-hours instead of {old}."
    if old == new:
        return f"{old} core-hours move from {payer} to {later} on {day}."
    return f"On {day}, {payer} gets back {old} core-hours and {later} is charged {new}."


def _book(
    session: Session, proposal: Proposal, *, author: User, reason: str, at: datetime
) -> list[Adjustment]:
    if not reason.strip():
        raise AdjustmentRefused("no_reason", "Say why: the reason is kept with the correction.")
    made = [
        Adjustment.objects.create(
            session=session,
            taken_back=_charge(session, pair.taken_back, sign=-1),
            booked=_charge(session, pair.booked, sign=1),
            from_evidence=pair.from_evidence,
            author=author,
            reason=reason.strip(),
            made_at=at,
        )
        for pair in proposal.pairs
    ]
    _note_days([key for one in made for key in (one.taken_back_id, one.booked_id)])
    return made


def _charge(session: Session, booking: Booking, *, sign: int) -> Charge:
    values = {name: getattr(booking, name) for name in Booking.__slots__}
    return Charge.objects.create(
        session=session, sign=sign, origin=Charge.Origin.ADJUSTMENT, **values
    )


def _note_days(charges: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hub_sessions_note_days(ARRAY("
            "SELECT c FROM hub_sessions_charge c WHERE id = ANY(%s)))",
            [charges],
        )
