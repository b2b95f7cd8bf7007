"""How people come in: decisions about them, invitations, and the policies they accept."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q

from accounts.models.groups import Group
from accounts.models.memberships import Membership
from accounts.models.people import User
from lsp_portal.lib import clock


class Registration(models.Model):
    """A decision about somebody's registration, with its reason and the evidence of then."""

    class Decision(models.TextChoices):
        APPROVED = "approved", "approved"
        REJECTED = "rejected", "rejected"
        ASKED = "asked", "asked again"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="registrations")
    decision = models.CharField(max_length=8, choices=Decision)
    reason = models.TextField(max_length=1000, help_text="Kept, and told to the person.")
    decided_by = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Empty: the policy of the site decided.",
    )
    sponsor = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    evidence = models.JSONField(default=dict, help_text="Identities and affiliations of then.")
    decided_at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = (models.Index(fields=["user", "-decided_at"]),)

    def __str__(self) -> str:
        return f"{self.user} {self.get_decision_display()}"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self, *, at: datetime) -> Self:
        """Invitations that can be accepted at that moment."""
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=at)


class Invitation(models.Model):
    """A way into a group that a mail brings: for one person, once, until it expires.

    The link carries the only copy of its secret; the row has the SHA-256 of it.
    """

    email = models.EmailField()
    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="invitations")
    role = models.CharField(max_length=7, choices=Membership.Role, default=Membership.Role.MEMBER)
    valid_from = models.DateTimeField("membership from", null=True, blank=True)
    valid_to = models.DateTimeField("membership to", null=True, blank=True)
    secret_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True, editable=False)
    accepted_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.PROTECT,
        related_name="accepted_invitations",
    )  # fmt: skip

    account = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+",
        help_text="The guest or shared account to which the link leads.",
    )  # fmt: skip

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(role__in=["pi", "manager", "member"]), name="invitation_role_is_known"
            ),
            models.CheckConstraint(
                condition=Q(valid_from=None) | Q(valid_to=None) | Q(valid_to__gt=F("valid_from")),
                name="invited_membership_ends_after_it_begins",
                violation_error_message="The membership must end after it begins.",
            ),
            models.CheckConstraint(
                condition=Q(accepted_at=None, accepted_by=None)
                | Q(accepted_at__isnull=False, accepted_by__isnull=False),
                name="accepted_invitations_name_the_person",
            ),
        )
        indexes = (models.Index(fields=["group", "-created_at"]),)

    def __str__(self) -> str:
        return f"{self.email} to {self.group}"


class PolicyQuerySet(models.QuerySet["Policy"]):
    def current(self, *, at: datetime) -> Policy | None:
        """The version in force at that moment; None while the site has none."""
        return self.filter(effective_at__lte=at).order_by("-effective_at").first()


class Policy(models.Model):
    """A version of the acceptable-use policy; who has not accepted the newest cannot launch."""

    version = models.CharField(max_length=30, unique=True)
    text = models.TextField(help_text="What people read and accept, in plain text.")
    effective_at = models.DateTimeField(unique=True, default=clock.now)

    objects = PolicyQuerySet.as_manager()

    class Meta:
        verbose_name = "acceptable-use policy"
        verbose_name_plural = "acceptable-use policies"

    def __str__(self) -> str:
        return self.version


class PolicyAcceptance(models.Model):
    """That somebody accepted a version, and when."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="accepted_policies")
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="acceptances")
    accepted_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["user", "policy"], name="policy_is_accepted_once"),
        )

    def __str__(self) -> str:
        return f"{self.user} accepted {self.policy}"
