"""Accounts with an owner and an end: guests, and accounts that several people share."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from accounts.administration import ensure_never_used
from accounts.invitations import Wish, invite
from accounts.models import Group, GroupQuerySet, Membership, User


def kinds_to_make(by: User, *, at: datetime) -> list[str]:
    """The kinds of accounts that the person may make: PIs make guests, administrators both."""
    hosts = settings.GUEST_ACCOUNTS and (by.is_staff or groups_to_host(by, at=at).exists())
    guests = [User.Kind.GUEST] if hosts else []
    shared = [User.Kind.BUCKET] if settings.SHARED_ACCOUNTS and by.is_staff else []
    return [*guests, *shared]


def groups_to_host(by: User, *, at: datetime) -> GroupQuerySet:
    """The groups into which the person may bring guests."""
    if by.is_staff:
        return Group.objects.all()
    led = Membership.objects.valid(at=at).filter(user=by, role=Membership.Role.PI)
    return Group.objects.filter(pk__in=led.values("group"))


def latest_end(at: datetime) -> datetime:
    return at + timedelta(days=settings.GUEST_DAYS)


@transaction.atomic
def make_account(
    *, kind: str, username: str, email: str, group: Group, owner: User, ends: datetime, at: datetime
) -> User:
    """A new account that the link in the mail opens. Raises ValidationError, PermissionDenied."""
    if kind not in kinds_to_make(owner, at=at):
        raise PermissionDenied("You may not make accounts of this kind.")
    if not groups_to_host(owner, at=at).filter(pk=group.pk).exists():
        raise PermissionDenied("You may not bring people into this group.")
    _check_end(ends, at)
    ensure_never_used(username)
    user = User(
        username=username, email=email, kind=kind, owner=owner, expires_at=ends, registered_at=at
    )
    user.set_unusable_password()
    user.full_clean(exclude=["uid", "password"])
    user.save(force_insert=True)
    wish = Wish(email, valid_to=None)
    invite(group=group, wish=wish, by=owner, at=at, account=user)
    return user


@transaction.atomic
def prolong(*, account: User, by: User, ends: datetime, at: datetime) -> User:
    """Move the end, as who could make it anew. Raises ValidationError and PermissionDenied."""
    if account.kind not in kinds_to_make(by, at=at):
        raise PermissionDenied("You may not prolong accounts of this kind.")
    _check_end(ends, at)
    return _set_end(account, ends)


@transaction.atomic
def end(*, account: User, at: datetime) -> User:
    """End the access at once."""
    return _set_end(account, at)


def _set_end(account: User, ends: datetime) -> User:
    found = User.objects.select_for_update(no_key=True).get(pk=account.pk)
    found.expires_at = ends
    found.save(update_fields=["expires_at"])
    return found


def _check_end(ends: datetime, at: datetime) -> None:
    if not at < ends <= latest_end(at):
        raise ValidationError(
            f"The end must be in the future and at most {settings.GUEST_DAYS} days away.",
            code="wrong_end",
        )
