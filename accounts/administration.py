"""What administrators do to many people, groups and memberships at once."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Model, Q, QuerySet, Value
from django.db.models.functions import Greatest

from accounts.models import Group, Membership, Name, User

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
    _these(User, waiting).update(registered_at=at)
    return waiting


@transaction.atomic
def deactivate(people: QuerySet[User], *, by: User) -> list[User]:
    """Switch people off, except who does it; only superusers switch off other staff."""
    found = _locked(_in_reach(people.filter(is_active=True).exclude(pk=by.pk), by))
    _these(User, found).update(is_active=False)
    return found


@transaction.atomic
def reactivate(people: QuerySet[User], *, by: User) -> list[User]:
    """Switch people on again; only superusers switch on staff. Returns those that were off."""
    found = _locked(_in_reach(people.filter(is_active=False), by))
    _these(User, found).update(is_active=True)
    return found


@transaction.atomic
def close_groups(groups: QuerySet[Group], *, at: datetime) -> list[Group]:
    """From now on nothing new is charged to the groups. Returns those that were open."""
    found = _locked(groups.filter(Q(closed_at=None) | Q(closed_at__gt=at)))
    _these(Group, found).update(closed_at=at)
    return found


@transaction.atomic
def reopen_groups(groups: QuerySet[Group]) -> list[Group]:
    """Take back the closing of groups. Returns those that had one."""
    found = _locked(groups.filter(closed_at__isnull=False))
    _these(Group, found).update(closed_at=None)
    return found


@transaction.atomic
def end_memberships(memberships: QuerySet[Membership], *, at: datetime) -> list[Membership]:
    """End the memberships that have not ended; one that has not begun never will."""
    found = _locked(memberships.filter(Q(valid_to=None) | Q(valid_to__gt=at)))
    _these(Membership, found).update(valid_to=Greatest(F("valid_from"), Value(at)))
    return found


def _in_reach(people: QuerySet[User], by: User) -> QuerySet[User]:
    return people if by.is_superuser else people.filter(is_staff=False, is_superuser=False)


def _locked(rows: QuerySet[Row]) -> list[Row]:
    return list(rows.order_by("pk").select_for_update(of=("self",)))


def _these(model: type[Row], rows: list[Row]) -> QuerySet[Row]:
    return model._default_manager.filter(pk__in=[row.pk for row in rows])
