"""Rules by which claims of identity providers make members of groups."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models.groups import Group
from accounts.models.memberships import Membership
from accounts.models.people import User
from lsp_portal.lib import clock


class ClaimRule(models.Model):
    """Who has this claim has that role in the group, for as long as the provider says so."""

    class Kind(models.TextChoices):
        ENTITLEMENT = "entitlement", "entitlement (AARC-G069)"
        GROUP = "group", "value of the groups claim"
        GITHUB_ORGANISATION = "github-org", "GitHub organisation"
        GITHUB_TEAM = "github-team", "GitHub team (organisation/team)"

    provider = models.CharField(
        max_length=30, blank=True, help_text="The provider's name in the settings. Empty: any."
    )
    kind = models.CharField(max_length=11, choices=Kind)
    value = models.CharField(
        max_length=255,
        help_text="The group at the provider: “fedcloud.egi.eu:lsst”, “/lsst/uk”, “lsst-uk”.",
    )
    claim_role = models.CharField(
        "role at the provider",
        max_length=60,
        blank=True,
        help_text="The role= part of an entitlement. Empty: any.",
    )
    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="claim_rules")
    role = models.CharField(max_length=7, choices=Membership.Role, default=Membership.Role.MEMBER)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["provider", "kind", "value", "claim_role", "group"],
                name="claim_rule_is_unique",
                violation_error_message="There is a rule for this claim and group already.",
            ),
            models.CheckConstraint(
                condition=Q(role__in=["pi", "manager", "member"]), name="claim_rule_role_is_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.value}"


class HeldSync(models.Model):
    """Removals that a sync did not dare: too large a share of a group, until somebody decides."""

    class Decision(models.TextChoices):
        OPEN = "open", "waits for a decision"
        REMOVED = "removed", "members removed"
        KEPT = "kept", "members kept"

    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="held_syncs")
    memberships = models.ManyToManyField(Membership, related_name="held_syncs")
    found_at = models.DateTimeField(default=clock.now)
    decision = models.CharField(max_length=7, choices=Decision, default=Decision.OPEN)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        verbose_name = "held removal"
        constraints = (
            models.UniqueConstraint(
                fields=["group"], condition=Q(decision="open"), name="one_open_hold_of_a_group"
            ),
        )

    def __str__(self) -> str:
        return f"removals from {self.group}: {self.get_decision_display()}"
