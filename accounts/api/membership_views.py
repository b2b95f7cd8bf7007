"""Memberships and invitations for programs, within what their callers may."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts import invitations
from accounts.api import filters, serializers, visible
from accounts.api.idempotency import idempotent
from accounts.api.views import Records, writes
from accounts.invitations import Wish, roles_to_invite
from accounts.membership_changes import (
    Terms,
    add_member,
    authority,
    change_member,
    remove_member,
)
from accounts.models import Group, Invitation, Membership, User
from lsp_portal.lib import clock


class MembershipViewSet(Records):
    """Who is and was what in which group: one's own, and those of groups that one looks after."""

    serializer_class = serializers.MembershipSerializer
    filterset_class = filters.MembershipFilter
    ordering_fields = ("valid_from", "valid_to", "role")
    ordering = ("-valid_from",)
    lookup_url_kwarg = "membership"
    lookup_value_regex = "[0-9]{1,18}"

    def visible(self) -> QuerySet[Membership]:
        found = visible.memberships(self.request.user, at=clock.now())  # type: ignore[arg-type]
        return found.select_related("user", "group", "added_by")

    @writes(serializers.NewMembershipSerializer, serializers.MembershipSerializer, 201)
    @idempotent
    def create(self, request: Any) -> Response:
        """Add somebody to a group from now on."""
        values = self.checked(serializers.NewMembershipSerializer)
        at, group = clock.now(), _group(request, values.pop("group"))
        if not authority(request.user, group, at=at).manages:  # before telling who exists
            raise PermissionDenied("You do not look after the members of this group.")
        user = _user(values.pop("user"))
        made = add_member(group=group, user=user, terms=Terms(**values), by=request.user, at=at)
        return self.answer(made, status.HTTP_201_CREATED)

    @writes(serializers.MembershipChangeSerializer, serializers.MembershipSerializer)
    @idempotent
    def partial_update(self, request: Any, membership: str) -> Response:
        """Other terms from now on; another role ends this membership and begins one."""
        row: Membership = self.get_object()
        fields = ("role", "valid_to", "rights", "ceiling")
        now = {name: getattr(row, name) for name in fields}
        terms = Terms(**now | self.checked(serializers.MembershipChangeSerializer))
        found = change_member(membership=row, terms=terms, by=request.user, at=clock.now())
        return self.answer(found)

    @writes(serializers.NothingSerializer, serializers.MembershipSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def end(self, request: Any, membership: str) -> Response:
        """End it now."""
        self.checked(serializers.NothingSerializer)
        row: Membership = self.get_object()
        remove_member(membership=row, by=request.user, at=clock.now())
        return self.answer(self.get_object())


class InvitationViewSet(Records):
    """Invitations to the groups to which one may invite."""

    serializer_class = serializers.InvitationSerializer
    filterset_class = filters.InvitationFilter
    ordering_fields = ("created_at", "expires_at")
    ordering = ("-created_at",)
    lookup_url_kwarg = "invitation"
    lookup_value_regex = "[0-9]{1,18}"

    def visible(self) -> QuerySet[Invitation]:
        found = visible.invitations(self.request.user, at=clock.now())  # type: ignore[arg-type]
        return found.select_related("group", "invited_by", "accepted_by")

    @writes(serializers.NewInvitationSerializer, serializers.InvitationSerializer, 201)
    @idempotent
    def create(self, request: Any) -> Response:
        """Send somebody the way into a group. Only people invite, no services."""
        values = self.checked(serializers.NewInvitationSerializer)
        if not isinstance(request.user, User):
            raise PermissionDenied("Only people invite; use a personal token.")
        made = invitations.invite(
            group=_group(request, values.pop("group")),
            wish=Wish(**values),
            by=request.user,
            at=clock.now(),
        )
        return self.answer(made, status.HTTP_201_CREATED)

    @writes(serializers.NothingSerializer, serializers.InvitationSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def renew(self, request: Any, invitation: str) -> Response:
        """Send a new link; the old one opens nothing any more."""
        return self.answer(invitations.renew(invitation=self._theirs(), at=clock.now()))

    @writes(serializers.NothingSerializer, serializers.InvitationSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def revoke(self, request: Any, invitation: str) -> Response:
        """The link opens nothing from now on."""
        return self.answer(invitations.revoke(invitation=self._theirs(), at=clock.now()))

    def _theirs(self) -> Invitation:
        """The invitation, if the caller may invite to its role."""
        self.checked(serializers.NothingSerializer)
        found: Invitation = self.get_object()
        caller: Any = self.request.user
        if isinstance(caller, User):  # services may
            roles = roles_to_invite(caller, found.group, at=clock.now())
            if found.role not in roles:
                raise PermissionDenied("You may not invite people to this role.")
        return found


def _group(request: Any, name: str) -> Group:
    found = visible.groups(request.user, at=clock.now()).filter(name=name).first()
    if found is None:
        raise ValidationError({"group": f"There is no group “{name}” that you may see."})
    return found


def _user(name: str) -> User:
    found = User.objects.filter(username=name).first()
    if found is None:
        raise ValidationError({"user": f"There is no person called “{name}”."})
    return found
