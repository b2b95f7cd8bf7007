"""Requests of groups for more core-hours or storage: asked, answered, decided once.

Each function locks the request, so that of two decisions at once the second finds the first.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.models import Group, Membership, Topic, User
from accounts.notices.announcing import Message, announce, responsible_for
from lsp_portal.lib.byte_sizes import read_byte_size
from lsp_portal.lib.display import byte_size
from quotas.awards import BadAmount, read_core_hours
from quotas.models import (
    AllocationPeriod,
    ComputeQuota,
    Grant,
    QuotaRequest,
    StorageQuota,
)

DECIDE = "quotas.change_quotarequest"
LARGEST_STORAGE = 2**60
REASON_LENGTH = 300

State, Kind = QuotaRequest.State, QuotaRequest.Kind


class RequestError(Exception):
    """What is not possible with a request, and why; `field` of the form where it is about one."""

    code = "not_possible"
    status = 409

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


def read_amount(kind: str, text: str) -> Decimal:
    """Core-hours, or bytes from `2 TiB`. Raises RequestError for the field `amount`."""
    try:
        is_hours = kind == Kind.HOURS
        amount = read_core_hours(text.strip()) if is_hours else Decimal(read_byte_size(text))
    except (BadAmount, ValueError) as error:
        hint = "" if kind == Kind.HOURS else " Write it as 500 GiB or 1.5 TiB."
        raise RequestError(f"{error}{hint}", "amount") from error
    if amount <= 0:
        raise RequestError("Ask for more than nothing.", "amount")
    if kind == Kind.STORAGE and amount > LARGEST_STORAGE:
        raise RequestError("Ask for at most 1024 PiB.", "amount")
    return amount


def ask(
    *, group: Group, period: AllocationPeriod, kind: str, amount: Decimal, reason: str, by: User,
    facts: dict[str, Any], at: datetime,
) -> QuotaRequest:  # fmt: skip
    """Ask for a group, whose `facts` of this moment are kept. Raises RequestError."""
    _check_asking(group, period, by, at=at)
    try:
        with transaction.atomic():
            made = QuotaRequest.objects.create(
                group=group, period=period, kind=kind, amount=amount, reason=reason,
                facts=facts, asked_by=by, asked_at=at,
            )  # fmt: skip
            _tell(made, "asked", f"{by.title} asks: {reason}", to=deciders(), at=at)
    except IntegrityError as error:
        if "one_undecided_request" not in str(error):
            raise
        raise RequestError(
            f"The group has an undecided request for {Kind(kind).label} in {period} already."
            " Withdraw that first, or wait for the decision."
        ) from error
    return made


@transaction.atomic
def withdraw(request: QuotaRequest, *, by: User, at: datetime) -> QuotaRequest:
    """Take it back before it is decided. Raises RequestError."""
    row = _locked(request, *QuotaRequest.UNDECIDED)
    _check_entitled(row.group, by, at=at)
    return _close(row, State.WITHDRAWN, by=by, at=at)


@transaction.atomic
def grant(request: QuotaRequest, *, by: User, answer: str, at: datetime) -> QuotaRequest:
    """Give what was asked for. Raises RequestError."""
    row = _locked(request, State.OPEN)
    _check_still_wanted(row, at=at)
    _decide(row, State.GRANTED, by=by, answer=answer, at=at)
    _give(row, row.amount, author=by, at=at)
    _tell_group(row, f"{by.title} granted {row.words}. {answer}", at=at)
    return row


@transaction.atomic
def counter(
    request: QuotaRequest, *, by: User, amount: Decimal, answer: str, at: datetime
) -> QuotaRequest:
    """Offer another amount, which the group takes or turns down. Raises RequestError."""
    row = _locked(request, State.OPEN)
    _check_still_wanted(row, at=at)
    row.offered = amount
    _decide(row, State.COUNTERED, by=by, answer=answer, at=at)
    _tell_group(row, f"{by.title} offers {row.offered_words} instead. {answer}", at=at)
    return row


@transaction.atomic
def decline(request: QuotaRequest, *, by: User, answer: str, at: datetime) -> QuotaRequest:
    """Say no, and why. Raises RequestError."""
    row = _locked(request, State.OPEN)
    _decide(row, State.DECLINED, by=by, answer=answer, at=at)
    _tell_group(row, f"{by.title} declined it: {answer}", at=at)
    return row


@transaction.atomic
def accept(request: QuotaRequest, *, by: User, at: datetime) -> QuotaRequest:
    """Take the amount that was offered, while who offered it may. Raises RequestError."""
    row = _locked(request, State.COUNTERED)
    _check_asking(row.group, row.period, by, at=at)
    if row.offered is None or row.decided_by is None:
        raise RequestError("Nothing was offered.")
    _check_decider(row.decided_by)
    _give(row, row.offered, author=row.decided_by, at=at)
    return _close(row, State.GRANTED, by=by, at=at)


@transaction.atomic
def turn_down(request: QuotaRequest, *, by: User, at: datetime) -> QuotaRequest:
    """Do without the amount that was offered. Raises RequestError."""
    row = _locked(request, State.COUNTERED)
    _check_entitled(row.group, by, at=at)
    return _close(row, State.TURNED_DOWN, by=by, at=at)


def may_ask(user: User, group: Group, *, at: datetime) -> bool:
    """Whether the person is PI of the group, or manager with the right to ask."""
    entitled = Group.objects.where(user, may=Membership.Right.QUOTA, at=at)
    return entitled.filter(pk=group.pk).exists()


def deciders() -> list[User]:
    """The administrators who may decide."""
    staff = User.objects.filter(is_staff=True, is_active=True).order_by("username")
    return [one for one in staff if may_decide(one)]


def may_decide(user: User) -> bool:
    """Whether the person is an administrator who may decide about requests."""
    return user.is_staff and user.has_perm(DECIDE)


def _locked(request: QuotaRequest, *states: str) -> QuotaRequest:
    rows = QuotaRequest.objects.select_related("group", "period", "asked_by", "decided_by")
    row = rows.select_for_update(of=("self",)).get(pk=request.pk)
    if row.state not in states:
        raise RequestError(
            f"The request is {State(row.state).label} meanwhile. Nothing was changed."
        )
    return row


def _check_asking(group: Group, period: AllocationPeriod, by: User, *, at: datetime) -> None:
    _check_entitled(group, by, at=at)
    _check_possible(group, period, at=at)


def _check_entitled(group: Group, by: User, *, at: datetime) -> None:
    if not may_ask(by, group, at=at):
        raise RequestError(f"Only PIs of {group}, and managers with the right, may do this.")


def _check_decider(user: User) -> None:
    if not may_decide(user):
        raise RequestError(
            f"{user.title} made the offer and decides no more about requests, so it does not hold."
            " Withdraw the request and ask again."
        )


def _check_possible(group: Group, period: AllocationPeriod, *, at: datetime) -> None:
    if group.closed_at is not None and group.closed_at <= at:
        raise RequestError("The group is closed: nothing can be given to it.")
    if period.ends_at <= at:
        raise RequestError(f"The period {period} has ended. Choose one that has not.", "period")


def _check_still_wanted(row: QuotaRequest, *, at: datetime) -> None:
    _check_possible(row.group, row.period, at=at)
    if not may_ask(row.asked_by, row.group, at=at):
        raise RequestError(
            f"{row.asked_by.title} does not ask for {row.group} any more."
            " Decline it; those who look after the group now can ask."
        )


def _decide(row: QuotaRequest, state: str, *, by: User, answer: str, at: datetime) -> None:
    row.state, row.decided_by, row.decided_at, row.answer = state, by, at, answer
    row.save(update_fields=["state", "offered", "decided_by", "decided_at", "answer"])


def _close(row: QuotaRequest, state: str, *, by: User, at: datetime) -> QuotaRequest:
    row.state, row.closed_by, row.closed_at = state, by, at
    row.save(update_fields=["state", "closed_by", "closed_at"])
    _tell(row, state, f"{by.title}: {State(state).label}.", to=deciders(), at=at)
    return row


def _give(row: QuotaRequest, amount: Decimal, *, author: User, at: datetime) -> None:
    if row.kind == Kind.STORAGE:
        _give_storage(row, int(amount))
        return
    quota, _ = ComputeQuota.objects.get_or_create(
        group=row.group,
        period=row.period,
        defaults={"core_hours": Decimal(0), "mode": _usual_mode(row.group)},
    )
    row.grant = Grant.objects.create(
        quota=quota,
        core_hours=amount,
        reason=f"Request {row.pk}: {row.reason}"[:REASON_LENGTH],
        author=author,
        valid_from=max(at, row.period.starts_at),
    )
    row.save(update_fields=["grant"])


def _give_storage(row: QuotaRequest, limit_bytes: int) -> None:
    quotas = StorageQuota.objects.select_for_update()
    quota = quotas.filter(group=row.group, period=row.period).first()
    if quota is None:
        StorageQuota.objects.create(group=row.group, period=row.period, limit_bytes=limit_bytes)
        return
    if quota.limit_bytes >= limit_bytes:
        raise RequestError(f"The group has {byte_size(quota.limit_bytes)} already.", "amount")
    quota.limit_bytes = limit_bytes
    quota.save(update_fields=["limit_bytes"])


def _usual_mode(group: Group) -> str:
    """The mode of the group's latest quota, which a new one goes on with."""
    latest = ComputeQuota.objects.filter(group=group).order_by("-period__starts_on").first()
    return latest.mode if latest else ComputeQuota.Mode.NOMINAL


def _tell_group(row: QuotaRequest, text: str, *, at: datetime) -> None:
    people = {
        one.pk: one for one in responsible_for(row.group, right=Membership.Right.QUOTA, at=at)
    }
    people[row.asked_by_id] = row.asked_by
    _tell(row, row.state, text, to=list(people.values()), at=at)


def _tell(row: QuotaRequest, step: str, text: str, *, to: list[User], at: datetime) -> None:
    message = Message(
        topic=Topic.REQUEST,
        key=f"request:{row.pk}:{step}",
        subject=f"Request of {row.group.title}: {row.words}, {State(row.state).label}",
        text=text,
        link=reverse("quota_request", args=[row.group.name, row.pk]),
        link_label="The request",
    )
    announce(message, to=to, at=at)
