"""What PIs and managers do to the memberships of their group, within what each of them may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from accounts.models import Group, Membership, User

Role = Membership.Role
Right = Membership.Right


class MembershipRefusedError(Exception):
    """The change is not for this person, or not possible."""

    def __init__(self, code: str, text: str, *, status: int = 409) -> None:
        super().__init__(text)
        self.code, self.status = code, status


@dataclass(frozen=True)
class Terms:
    """What a membership says beside who and where."""

    role: str = Role.MEMBER
    valid_to: datetime | None = None
    rights: Sequence[str] = ()
    ceiling: int | None = None

    def fields(self) -> dict[str, Any]:
        """As the row has them; only managers have rights and a ceiling."""
        manages = self.role == Role.MANAGER
        return {
            "role": self.role,
            "valid_to": self.valid_to,
            "rights": list(self.rights) if manages else [],
            "ceiling": self.ceiling if manages else None,
        }


@dataclass(frozen=True)
class Authority:
    """What somebody may do to the members of a group."""

    appoints: bool = False  # PIs and managers, as PIs and administrators do
    manages: bool = False  # plain members
    is_staff: bool = False
    ceiling: int | None = None  # how many people the group may have for one more

    @property
    def roles(self) -> list[Role]:
        """The roles that this person may give and take."""
        return list(Role) if self.appoints else [Role.MEMBER] if self.manages else []


def authority(user: User, group: Group, *, at: datetime) -> Authority:
    """Of several memberships in force the widest counts."""
    if user.is_staff:
        return Authority(appoints=True, manages=True, is_staff=True)
    own = Membership.objects.valid(at=at).filter(user=user, group=group)
    rows = list(own.with_right(Right.MEMBERS))
    if any(row.role == Role.PI for row in rows):
        return Authority(appoints=True, manages=True)
    if not rows:
        return Authority()
    ceilings = [row.ceiling for row in rows]
    top = None if None in ceilings else max(c for c in ceilings if c is not None)
    return Authority(manages=True, ceiling=top)


@transaction.atomic
def add_member(*, group: Group, user: User, terms: Terms, by: User, at: datetime) -> Membership:
    """A new membership from now on. Raises MembershipRefusedError and ValidationError."""
    _lock(group)
    power = authority(by, group, at=at)
    _ensure_may(power, terms.role)
    if power.ceiling is not None and _size(group, at=at) >= power.ceiling:
        raise MembershipRefusedError(
            "ceiling",
            f"The group has {_size(group, at=at)} people, and you may add somebody only while it "
            f"has fewer than {power.ceiling}. Ask a PI of the group.",
        )
    return _begin(group, user, terms, by=by, at=at)


@transaction.atomic
def change_member(*, membership: Membership, terms: Terms, by: User, at: datetime) -> Membership:
    """Other terms from now on; another role ends this row and begins one.

    Raises MembershipRefusedError and ValidationError.
    """
    _lock(membership.group)
    row = _locked_row(membership, by=by, at=at)
    _ensure_may(authority(by, row.group, at=at), terms.role)
    if row.role == Role.PI and (terms.role != Role.PI or terms.valid_to is not None):
        until = at if terms.role != Role.PI else terms.valid_to
        _ensure_another_pi(row, by=by, at=until or at)
    if terms.role == row.role:
        return _write(row, terms)
    _end(row, at=at)
    return _begin(row.group, row.user, terms, by=by, at=max(at, row.valid_from))


@transaction.atomic
def remove_member(*, membership: Membership, by: User, at: datetime) -> None:
    """End the membership now: nothing can be launched with it any more.

    Raises MembershipRefusedError.
    """
    _lock(membership.group)
    row = _locked_row(membership, by=by, at=at)
    if row.role == Role.PI:
        _ensure_another_pi(row, by=by, at=at)
    _end(row, at=at)


def _lock(group: Group) -> None:
    """One change of a group's people at a time: they are counted."""
    list(Group.objects.select_for_update(no_key=True).filter(pk=group.pk).values_list("pk"))


def _locked_row(membership: Membership, *, by: User, at: datetime) -> Membership:
    rows = Membership.objects.select_related("user", "group").select_for_update(
        of=("self",), no_key=True
    )
    row = rows.get(pk=membership.pk)
    if row.synced:
        raise MembershipRefusedError(
            "synced",
            "This membership follows from what an identity provider says; it ends when the "
            "provider says so no longer.",
        )
    if row.valid_to is not None and row.valid_to <= at:
        raise MembershipRefusedError("ended", "This membership has ended already.")
    _ensure_may(authority(by, row.group, at=at), row.role)
    return row


def _ensure_may(power: Authority, role: str) -> None:
    if role not in power.roles:
        raise MembershipRefusedError(
            "not_yours",
            "Only PIs of the group and administrators decide about PIs and managers."
            if power.manages
            else "You do not look after the members of this group.",
            status=403,
        )


def _ensure_another_pi(row: Membership, *, by: User, at: datetime) -> None:
    """A group keeps a PI, unless an administrator wants otherwise."""
    others = Membership.objects.valid(at=at).filter(group=row.group, role=Role.PI)
    if not by.is_staff and not others.exclude(pk=row.pk).exists():
        raise MembershipRefusedError(
            "last_pi",
            "The group would be left without a PI. Appoint another one first, or ask the "
            "people who run this site.",
        )


def _size(group: Group, *, at: datetime) -> int:
    """How many people are in the group, or will be."""
    rows = Membership.objects.filter(Q(valid_to=None) | Q(valid_to__gt=at), group=group)
    return rows.values("user").distinct().count()


def _begin(group: Group, user: User, terms: Terms, *, by: User, at: datetime) -> Membership:
    row = Membership(group=group, user=user, valid_from=at, added_by_id=by.pk, **terms.fields())
    _ensure_future_end(terms, at)
    row.full_clean(exclude=["rights"] if not row.rights else None)
    row.save(force_insert=True)
    return row


def _write(row: Membership, terms: Terms) -> Membership:
    _ensure_future_end(terms, row.valid_from)
    for name, value in terms.fields().items():
        setattr(row, name, value)
    row.full_clean()
    row.save(update_fields=list(terms.fields()))
    return row


def _end(row: Membership, *, at: datetime) -> None:
    row.valid_to = max(row.valid_from, at)
    row.save(update_fields=["valid_to"])


def _ensure_future_end(terms: Terms, begins: datetime) -> None:
    if terms.valid_to is not None and terms.valid_to <= begins:
        raise ValidationError({"valid_to": "The end must be after the beginning."})
