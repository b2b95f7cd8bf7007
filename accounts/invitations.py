"""Invitations into groups: made, renewed, revoked, and accepted once by one person."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts import approvals, tasks
from accounts.models import Group, Invitation, Membership, User
from lsp_portal.lib.queue import after_commit

ROLE = Membership.Role


class InvitationError(Exception):
    """An invitation that cannot be accepted, renewed or revoked; the text is for the person."""

    def __init__(self, code: str, text: str, *, status: int = 409) -> None:
        super().__init__(text)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class Wish:
    """Whom somebody wants to invite as what."""

    email: str
    role: str = ROLE.MEMBER
    valid_from: datetime | None = None
    valid_to: datetime | None = None


def roles_to_invite(by: User, group: Group, *, at: datetime) -> list[str]:
    """The roles to which the person may invite: of managers only members, of others none."""
    if not by.is_active:
        return []
    own = Membership.objects.valid(at=at).filter(user=by, group=group)
    if by.is_staff or own.filter(role=ROLE.PI).exists():
        return [ROLE.MEMBER, ROLE.MANAGER, ROLE.PI]
    is_entitled = own.with_right(Membership.Right.INVITATIONS).exists()
    return [ROLE.MEMBER] if is_entitled else []


@transaction.atomic
def invite(
    *, group: Group, wish: Wish, by: User, at: datetime, account: User | None = None
) -> Invitation:
    """Send somebody the way into a group. Raises ValidationError and PermissionDenied."""
    if wish.role not in roles_to_invite(by, group, at=at):
        raise PermissionDenied("You may not invite people to this role.")
    secret = secrets.token_urlsafe(32)
    made = Invitation(
        email=wish.email, group=group, role=wish.role,
        valid_from=wish.valid_from, valid_to=wish.valid_to, invited_by=by, created_at=at,
        expires_at=_end(at), secret_hash=digest(secret), account=account,
    )  # fmt: skip
    made.full_clean(exclude=["secret_hash"])
    made.save(force_insert=True)
    _send(made, secret)
    return made


@transaction.atomic
def invite_all(
    *, group: Group, wishes: list[Wish], by: User, at: datetime
) -> list[Invitation]:  # fmt: skip
    """Invite all of them or, when one cannot be, nobody."""
    return [invite(group=group, wish=wish, by=by, at=at) for wish in wishes]


@transaction.atomic
def renew(*, invitation: Invitation, at: datetime) -> Invitation:
    """Send a new link, which lasts its full time; the old one opens nothing any more.

    Raises InvitationError.
    """
    found = _locked(invitation)
    _ensure_unused(found)
    secret = secrets.token_urlsafe(32)
    found.secret_hash, found.expires_at = digest(secret), _end(at)
    found.save(update_fields=["secret_hash", "expires_at"])
    _send(found, secret)
    return found


@transaction.atomic
def revoke(*, invitation: Invitation, at: datetime) -> Invitation:
    """The link opens nothing from now on. Raises InvitationError."""
    found = _locked(invitation)
    _ensure_unused(found)
    found.revoked_at = at
    found.save(update_fields=["revoked_at"])
    return found


def find(secret: str) -> Invitation:
    """The invitation of a link, whatever became of it. Raises InvitationError."""
    rows = Invitation.objects.select_related("group", "invited_by", "accepted_by", "account")
    found = rows.filter(secret_hash=digest(secret)).first()
    if found is None:
        raise InvitationError(
            "unknown_invitation",
            "There is no such invitation. Perhaps a part of the address is missing, or a newer "
            "mail has replaced the link.",
            status=404,
        )
    return found


def ensure_open(invitation: Invitation, *, at: datetime) -> None:
    """Raises InvitationError for one that was used, taken back, or came too late."""
    _ensure_unused(invitation)
    until = invitation.valid_to
    if invitation.expires_at <= at or (until is not None and until <= at):
        raise InvitationError(
            "expired",
            "This invitation has expired. Ask who invited you to send it again.",
            status=410,
        )
    if invitation.group.closed_at is not None and invitation.group.closed_at <= at:
        raise InvitationError("group_closed", "The group is closed.", status=410)


@transaction.atomic
def accept(*, invitation: Invitation, user: User, at: datetime) -> Membership:
    """Make the person what the invitation says. Raises InvitationError."""
    found = _locked(invitation)
    ensure_open(found, at=at)
    _ensure_for(found, user)
    inviting = _ensure_still_allowed(found, at)
    _ensure_room(found, inviting, user, at)
    made = _join(found, user, at)
    found.accepted_at, found.accepted_by = at, user
    found.save(update_fields=["accepted_at", "accepted_by"])
    _register(found, user, at)
    return made


def state(invitation: Invitation, *, at: datetime) -> str:
    """In one word, for lists."""
    if invitation.accepted_at is not None:
        return "accepted"
    if invitation.revoked_at is not None:
        return "revoked"
    return "expired" if invitation.expires_at <= at else "open"


def digest(secret: str) -> bytes:
    return sha256(secret.encode(errors="replace")).digest()


def _end(at: datetime) -> datetime:
    return at + timedelta(days=settings.INVITATION_DAYS)


def _send(invitation: Invitation, secret: str) -> None:
    link = reverse("invitation", args=[secret])
    after_commit(tasks.mail_invitation, invitation.pk, link)


def _locked(invitation: Invitation) -> Invitation:
    rows = Invitation.objects.select_related("group", "invited_by", "account")
    return rows.select_for_update(of=("self", "group"), no_key=True).get(pk=invitation.pk)


def _ensure_unused(invitation: Invitation) -> None:
    if invitation.accepted_at is not None:
        raise InvitationError(
            "already_accepted", "This invitation was accepted already; it serves once."
        )
    if invitation.revoked_at is not None:
        raise InvitationError("revoked", "This invitation was taken back.", status=410)


def _ensure_for(invitation: Invitation, user: User) -> None:
    if invitation.account is not None and invitation.account_id != user.pk:
        raise InvitationError(
            "other_account",
            "This invitation is for an account of its own. Sign out, and sign in through the link "
            "with an identity that has no account here yet.",
        )


def _ensure_still_allowed(invitation: Invitation, at: datetime) -> Membership | None:
    """The manager's membership by which the invitation was made; None for PIs and staff."""
    by, group = invitation.invited_by, invitation.group
    if invitation.role not in roles_to_invite(by, group, at=at):
        raise InvitationError(
            "inviter_not_entitled",
            f"{by.title} may not invite to this group any more. Ask its PI to invite you.",
        )
    own = Membership.objects.valid(at=at).filter(user=by, group=group)
    if by.is_staff or own.filter(role=ROLE.PI).exists():
        return None
    return own.with_right(Membership.Right.INVITATIONS).order_by("ceiling").last()


def _ensure_room(
    invitation: Invitation, inviting: Membership | None, user: User, at: datetime
) -> None:
    if inviting is None or inviting.ceiling is None:
        return
    others = Membership.objects.valid(at=at).filter(group=invitation.group).exclude(user=user)
    if others.values("user").distinct().count() >= inviting.ceiling:
        raise InvitationError(
            "group_full",
            f"The group is full: {invitation.invited_by.title} may bring it to "
            f"{inviting.ceiling} people. Ask its PI.",
        )


def _join(invitation: Invitation, user: User, at: datetime) -> Membership:
    begins = max(at, invitation.valid_from or at)
    made = Membership(
        user=user, group=invitation.group, role=invitation.role, valid_from=begins,
        valid_to=invitation.valid_to, invitation=invitation, added_by=invitation.invited_by,
    )  # fmt: skip
    try:
        with transaction.atomic():
            made.full_clean()
            made.save(force_insert=True)
    except (ValidationError, IntegrityError) as error:
        raise InvitationError(
            "already_member",
            f"You already have a role in {invitation.group.title} at that time. "
            "Its PI can change it.",
        ) from error
    return made


def _register(invitation: Invitation, user: User, at: datetime) -> None:
    if user.registered_at is not None or approvals.rejection_of(user) is not None:
        return
    if settings.INVITATIONS_REGISTER:
        approvals.approve(
            user=user, by=invitation.invited_by, at=at, sponsor=invitation.invited_by,
            reason=f"Accepted an invitation to {invitation.group.title}.",
        )  # fmt: skip
