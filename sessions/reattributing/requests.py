"""Asking that another group pays for a session, and answering it, once.

The group that is to pay decides, since it pays: one of its PIs, or an administrator. The group
that pays now loses nothing but the use, and is told. A PI of the former who asks has decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.models import Group, Membership, User
from sessions.adjustments import AdjustmentRefused, adjust
from sessions.models import Reattribution, Session
from sessions.reattributing import telling
from sessions.reattributing.choices import choices, payer
from sessions.reattributing.effects import effect

ADMINISTER = "hub_sessions.add_adjustment"
OPEN_FOR = timedelta(days=30)

State = Reattribution.State


@dataclass
class ReattributionRefused(Exception):  # noqa: N818 - a decision, not a fault
    """What is not possible with a request, and why; `field` where a form asked for it."""

    code: str
    detail: str
    field: str | None = None
    status = 409

    def __str__(self) -> str:
        return self.detail


def may_administer(user: User) -> bool:
    """Whether the person is an administrator who may correct what sessions are charged."""
    return user.is_staff and user.has_perm(ADMINISTER)


def may_ask(user: User, session: Session, paying: Group | None, *, at: datetime) -> bool:
    """Whether the person may ask: whose session it is, who leads the group that pays."""
    if session.user_id == user.pk or may_administer(user):
        return True
    led = Group.objects.led_by(user, at=at)
    return paying is not None and led.filter(pk=paying.pk).exists()


def may_answer(user: User, group: Group, *, at: datetime) -> bool:
    """Whether the person decides for the group that is to pay: its PIs, and administrators."""
    return _is_pi(user, group, at=at) or may_administer(user)


@transaction.atomic
def ask(session: Session, *, to: Group, reason: str, by: User, at: datetime) -> Reattribution:
    """Ask that the group pays; a PI of it who asks has accepted, unless a hard quota is in the way.

    Raises ReattributionRefused.
    """
    paying = payer(session)
    if paying is None:
        raise ReattributionRefused("not_charged", "No group pays for this session.")
    if not may_ask(by, session, paying, at=at):
        raise ReattributionRefused(
            "forbidden", "Only the person, and who leads the group that pays, may ask."
        )
    _check_receiver(session, paying, to)
    made = _made(session, paying, to, reason.strip(), by=by, at=at)
    if _decides_by_asking(made, by, at=at):
        return accept(made, by=by, answer="", at=at)
    telling.asked(made, at=at)
    return made


@transaction.atomic
def accept(
    request: Reattribution, *, by: User, answer: str, at: datetime, beyond_quota: bool = False
) -> Reattribution:
    """Let the group pay, by an adjustment. Who accepted already is answered the same again.

    Beyond a hard quota only where `beyond_quota` says so. Raises ReattributionRefused.
    """
    if (done := _done(request, State.ACCEPTED, by)) is not None:
        return done
    row = _claimed(request, at=at)
    _check_answering(row, by, at=at)
    _check_accepting(row, at=at, beyond_quota=beyond_quota)
    reason = f"Request {row.pk} of {row.asked_by.title}: {row.reason}"
    try:
        made = adjust(row.session, author=by, reason=reason[:500], at=at, group=row.to_group)
    except AdjustmentRefused as refusal:
        raise ReattributionRefused(refusal.code, refusal.detail) from refusal
    row.adjustment = made[-1]
    return _close(row, State.ACCEPTED, by=by, answer=answer, at=at)


@transaction.atomic
def decline(request: Reattribution, *, by: User, answer: str, at: datetime) -> Reattribution:
    """Say no, and why. Raises ReattributionRefused."""
    if (done := _done(request, State.DECLINED, by)) is not None:
        return done
    row = _claimed(request, at=at)
    _check_answering(row, by, at=at)
    if not answer.strip():
        raise ReattributionRefused("no_answer", "Say why: who asked reads it.", "answer")
    return _close(row, State.DECLINED, by=by, answer=answer, at=at)


@transaction.atomic
def withdraw(request: Reattribution, *, by: User, at: datetime) -> Reattribution:
    """Take it back before it is answered. Raises ReattributionRefused."""
    if (done := _done(request, State.WITHDRAWN, by)) is not None:
        return done
    row = _claimed(request, at=at)
    if not may_withdraw(by, row):
        raise ReattributionRefused("forbidden", "Only who asked may take it back.")
    return _close(row, State.WITHDRAWN, by=by, answer="", at=at)


def may_withdraw(user: User, request: Reattribution) -> bool:
    return request.asked_by_id == user.pk or may_administer(user)


def expire(*, at: datetime) -> int:
    """Close what nobody answered in time; how many there were."""
    due = Reattribution.objects.filter(state=State.OPEN, expires_at__lte=at)
    return sum(_expired(key, at=at) for key in due.values_list("pk", flat=True)[:500])


@transaction.atomic
def _expired(key: int, *, at: datetime) -> bool:
    row = _rows().filter(pk=key, state=State.OPEN).select_for_update(of=("self",)).first()
    if row is not None:
        _close(row, State.EXPIRED, by=None, answer="", at=at)
    return row is not None


def _is_pi(user: User, group: Group, *, at: datetime) -> bool:
    memberships = Membership.objects.valid(at=at).filter(user=user, group=group)
    return memberships.filter(role=Membership.Role.PI).exists()


def _decides_by_asking(row: Reattribution, by: User, *, at: datetime) -> bool:
    if row.session.ended_at is None or not _is_pi(by, row.to_group, at=at):
        return False
    return not effect(row.session, row.from_group, row.to_group, at=at).goes_beyond


def _made(
    session: Session, paying: Group, to: Group, reason: str, *, by: User, at: datetime
) -> Reattribution:
    if not reason:
        raise ReattributionRefused("no_reason", "Say why: the reason is kept.", "reason")
    try:
        with transaction.atomic():
            return Reattribution.objects.create(
                session=session, from_group=paying, to_group=to, reason=reason, asked_by=by,
                asked_at=at, expires_at=at + OPEN_FOR,
            )  # fmt: skip
    except IntegrityError as error:
        if "one_open_reattribution" not in str(error):
            raise
        raise ReattributionRefused(
            "open_already", "Somebody asks to move this session already. Wait for the answer."
        ) from error


def _check_receiver(session: Session, paying: Group, to: Group) -> None:
    if to.pk == paying.pk:
        raise ReattributionRefused("no_change", f"{to.title} pays already.", "to")
    found = {choice.group.pk: choice.refusal for choice in choices(session, paying)}
    if to.pk not in found:
        raise ReattributionRefused(
            "not_a_member", f"The person of this session never belonged to {to.name}.", "to"
        )
    if refusal := found[to.pk]:
        raise ReattributionRefused(
            "not_a_member", f"{to.title} cannot pay for this session. {refusal}", "to"
        )


def _check_answering(row: Reattribution, by: User, *, at: datetime) -> None:
    if not may_answer(by, row.to_group, at=at):
        raise ReattributionRefused(
            "forbidden", f"Only PIs of {row.to_group.title} decide whether it pays."
        )


def _check_accepting(row: Reattribution, *, at: datetime, beyond_quota: bool) -> None:
    """With the group and the session locked, so that it stays so until it is booked."""
    Group.objects.select_for_update(no_key=True).get(pk=row.to_group_id)
    session = Session.objects.select_for_update(no_key=True).get(pk=row.session_id)
    if session.ended_at is None:
        raise ReattributionRefused(
            "not_ended", "The session still runs. Accept once it has ended; until then it waits."
        )
    paying = payer(session)
    if paying is None or paying.pk != row.from_group_id:
        raise ReattributionRefused(
            "paid_by_another", f"{row.from_group.title} does not pay for the session any more."
        )
    _check_receiver(session, paying, row.to_group)
    if not beyond_quota and effect(session, paying, row.to_group, at=at).goes_beyond:
        raise ReattributionRefused(
            "beyond_quota",
            f"It goes beyond the hard quota of {row.to_group.title}. Say that you want it all the"
            " same, or ask for more core-hours first.",
            "beyond_quota",
        )


def _rows() -> QuerySet[Reattribution]:
    return Reattribution.objects.select_related(
        "session", "session__user", "from_group", "to_group", "asked_by"
    )


def _done(request: Reattribution, state: str, by: User) -> Reattribution | None:
    """The request, where this person did the same to it before."""
    return _rows().filter(pk=request.pk, state=state, decided_by=by).first()


def _claimed(request: Reattribution, *, at: datetime) -> Reattribution:
    """The open request, for one decision: of two at once the second finds it closed."""
    rows = _rows().filter(pk=request.pk, state=State.OPEN, expires_at__gt=at)
    row = rows.select_for_update(of=("self",)).first()
    if row is None:
        now = Reattribution.objects.get(pk=request.pk)
        word = State.EXPIRED.label if now.is_open else now.get_state_display()
        raise ReattributionRefused(
            "decided", f"The request is {word} meanwhile. Nothing was changed."
        )
    return row


def _close(
    row: Reattribution, state: str, *, by: User | None, answer: str, at: datetime
) -> Reattribution:
    row.state, row.decided_by, row.decided_at, row.answer = state, by, at, answer.strip()
    row.save(update_fields=["state", "decided_by", "decided_at", "answer", "adjustment"])
    telling.closed(row, at=at)
    return row
