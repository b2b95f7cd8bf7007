"""What a caller of the API may see; the rest is not found."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from accounts.api.authentication import Caller
from accounts.models import Group, Invitation, Membership, User


def groups(caller: Caller, *, at: datetime) -> QuerySet[Group]:
    """Groups that one belongs to in whatever role; administrators see all."""
    if not isinstance(caller, User) or caller.is_staff:
        return Group.objects.all()
    return Group.objects.of(caller, at=at)


def led_groups(caller: Caller, *, at: datetime) -> QuerySet[Group]:
    """Groups whose usage and quotas one may see, as on their pages; administrators see all."""
    if not isinstance(caller, User):
        return Group.objects.all()
    return Group.objects.visible_to(caller, at=at)


def people(caller: Caller, *, at: datetime) -> QuerySet[User]:
    """Oneself and the present members of the groups that one looks after."""
    everybody = User.objects.get_queryset()
    if not isinstance(caller, User) or caller.is_staff:
        return everybody
    members = Membership.objects.valid(at=at).filter(group__in=_looked_after(caller, at))
    return everybody.filter(Q(pk=caller.pk) | Q(pk__in=members.values("user")))


def memberships(caller: Caller, *, at: datetime) -> QuerySet[Membership]:
    """One's own, and all of the groups that one looks after."""
    if not isinstance(caller, User) or caller.is_staff:
        return Membership.objects.all()
    return Membership.objects.filter(Q(user=caller) | Q(group__in=_looked_after(caller, at)))


def invitations(caller: Caller, *, at: datetime) -> QuerySet[Invitation]:
    """Those to groups to which one may invite."""
    if not isinstance(caller, User) or caller.is_staff:
        return Invitation.objects.all()
    return Invitation.objects.filter(
        group__in=Group.objects.where(caller, may=Membership.Right.INVITATIONS, at=at).values("pk")
    )


def _looked_after(caller: User, at: datetime) -> QuerySet[Group]:
    members = Group.objects.where(caller, may=Membership.Right.MEMBERS, at=at)
    usage = Group.objects.led_by(caller, at=at)
    return Group.objects.filter(Q(pk__in=members.values("pk")) | Q(pk__in=usage.values("pk")))
