"""What administrators do to many people, groups and memberships at once."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, Q, QuerySet

from accounts.approvals import note_approvals
from accounts.audit import change_rows
from accounts.models import Group, Membership, Name, User
from lsp_portal.lib.acting import acting

Row = TypeVar("Row", bound=Model)


def ensure_never_used(name: str) -> None:
    """Raises ValidationError for a name that a person or a group has or once had."""
    known = Name.objects.filter(name=name).first()
    if known is not None:
        raise ValidationError(
            f"“{name}” is or was the name of a {known.get_kind_display()}; "
            "names are never given twice.",
            code="name_taken",
        )


@transaction.atomic
def approve(people: QuerySet[User], *, at: datetime) -> list[User]:
    """Let those in who wait for approval. Returns them."""
    waiting = _locked(people.filter(pk__in=User.objects.waiting_for_approval()))
    found = change_rows(waiting, partial(_set, "registered_at", at), "registered_at")
    note_approvals(found, by=acting().user, at=at)
    return found


@transaction.atomic
def deactivate(people: QuerySet[User], *, by: User) -> list[User]:
    """Switch people off, except who does it; only superusers switch off other staff."""
    found = _locked(_in_reach(people.filter(is_active=True).exclude(pk=by.pk), by))
    return change_rows(found, partial(_set, "is_active", False), "is_active")


@transaction.atomic
def reactivate(people: QuerySet[User], *, by: User) -> list[User]:
    """Switch people on again; only superusers switch on staff. Returns those that were off."""
    off = people.filter(is_active=False, pseudonymised_at=None)
    found = _locked(_in_reach(off, by))
    return change_rows(found, partial(_set, "is_active", True), "is_active")


@transaction.atomic
def close_groups(groups: QuerySet[Group], *, at: datetime) -> list[Group]:
    """From now on nothing new is charged to the groups. Returns those that were open."""
    found = _locked(groups.filter(Q(closed_at=None) | Q(closed_at__gt=at)))
    return change_rows(found, partial(_set, "closed_at", at), "closed_at")


@transaction.atomic
def reopen_groups(groups: QuerySet[Group]) -> list[Group]:
    """Take back the closing of groups. Returns those that had one."""
    found = _locked(groups.filter(closed_at__isnull=False))
    return change_rows(found, partial(_set, "closed_at", None), "closed_at")


@transaction.atomic
def end_memberships(memberships: QuerySet[Membership], *, at: datetime) -> list[Membership]:
    """End the memberships that have not ended; one that has not begun never will."""
    unended = memberships.filter(Q(valid_to=None) | Q(valid_to__gt=at))
    found = _locked(unended.select_related("user", "group"))
    return change_rows(found, partial(_end, at), "valid_to")


def _in_reach(people: QuerySet[User], by: User) -> QuerySet[User]:
    return people if by.is_superuser else people.filter(is_staff=False, is_superuser=False)


def _locked(rows: QuerySet[Row]) -> list[Row]:
    return list(rows.order_by("pk").select_for_update(of=("self",)))


def _set(field: str, value: object, row: Model) -> None:
    setattr(row, field, value)


def _end(at: datetime, membership: Membership) -> None:
    membership.valid_to = max(membership.valid_from, at)
