"""Make and change people and groups, as administrators do it through the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.administration import ensure_never_used
from accounts.models import Group, User

PERSON_FIELDS = ("first_name", "last_name", "email", "is_active", "expires_at")
GROUP_FIELDS = ("title", "kind", "parent", "description", "opens_at", "closed_at")


@transaction.atomic
def create_person(*, username: str, at: datetime, **values: Any) -> User:
    """Register somebody before the first sign-in. Raises ValidationError."""
    _ensure_free("username", username)
    user = User(username=username, registered_at=at, **values)
    user.set_unusable_password()
    user.full_clean(exclude=["uid"])
    user.save(force_insert=True)
    return user


@transaction.atomic
def change_person(user: User, **values: Any) -> User:
    """Raises ValidationError."""
    _apply(user, values)
    return user


@transaction.atomic
def create_group(*, name: str, **values: Any) -> Group:
    """Raises ValidationError."""
    _ensure_free("name", name)
    group = Group(name=name, **values)
    group.full_clean(exclude=["gid"])
    group.save(force_insert=True)
    return group


@transaction.atomic
def change_group(group: Group, **values: Any) -> Group:
    """Raises ValidationError."""
    try:
        ensure_no_ring(group, values.get("parent"))
    except ValidationError as error:
        raise ValidationError({"parent": error.messages}) from error
    _apply(group, values)
    return group


def _apply(row: User | Group, values: dict[str, Any]) -> None:
    if not values:
        return
    type(row)._default_manager.select_for_update(no_key=True).get(pk=row.pk)
    for field, value in values.items():
        setattr(row, field, value)
    row.full_clean(exclude=["uid", "gid", "password"])
    row.save(update_fields=list(values))


def _ensure_free(field: str, name: str) -> None:
    try:
        ensure_never_used(name)
    except ValidationError as error:
        raise ValidationError({field: error.messages}) from error


def ensure_no_ring(group: Group, parent: Group | None) -> None:
    """Raises ValidationError where the group would be a part of itself."""
    if parent is not None and group in (parent, *parent.ancestors()):
        raise ValidationError("A group cannot be a part of itself.", code="ring")
