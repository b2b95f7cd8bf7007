"""Who is what in which group, from when to when, and where that comes from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Cast

from accounts.models.people import User
from lsp_portal.lib import clock


class MembershipQuerySet(models.QuerySet["Membership"]):
    def valid(self, *, at: datetime) -> Self:
        """Memberships in force at that moment (`valid_from <= at < valid_to`)."""
        return self.filter(Q(valid_to=None) | Q(valid_to__gt=at), valid_from__lte=at)

    def during(self, start: datetime, end: datetime) -> Self:
        """Memberships in force at some moment of [start, end)."""
        lasting = Q(valid_to=None) | Q(valid_to__gt=start) & Q(valid_to__gt=F("valid_from"))
        return self.filter(lasting, valid_from__lt=end)

    def with_right(self, right: Membership.Right) -> Self:
        """Memberships that carry the right: all of PIs, and those of managers who were given it."""
        manages = Q(role=Membership.Role.MANAGER, rights__contains=[right])
        return self.filter(Q(role=Membership.Role.PI) | manages)


def every_right() -> list[str]:
    """What a manager may do when nobody chose."""
    return list(Membership.Right.values)


class Membership(models.Model):
    """A role in a group for a half-open interval; ended, never deleted.

    What people decide and what follows from claims are rows of their own, so neither overwrites
    the other; where both are in force the person has the rights of both.
    """

    class Role(models.TextChoices):
        PI = "pi", "PI"
        MANAGER = "manager", "manager"
        MEMBER = "member", "member"

    class Right(models.TextChoices):
        MEMBERS = "members", "add and remove members"
        INVITATIONS = "invitations", "invite people"
        USAGE = "usage", "see usage"
        QUOTA = "quota", "ask for more hours and storage"

    LEADING = (Role.PI, Role.MANAGER)

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    group = models.ForeignKey(
        "accounts.Group", on_delete=models.PROTECT, related_name="memberships"
    )
    role = models.CharField(max_length=7, choices=Role, default=Role.MEMBER)
    valid_from = models.DateTimeField(default=clock.now)
    valid_to = models.DateTimeField(null=True, blank=True, help_text="Empty: no end.")
    rights = ArrayField(
        models.CharField(max_length=11, choices=Right),
        default=every_right,
        blank=True,
        help_text="What a manager may do. PIs may do everything, members nothing of it.",
    )
    ceiling = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="How many people the group may have for a manager to add one more. Empty: any.",
    )
    synced = models.BooleanField(
        default=False,
        editable=False,
        help_text="Follows from what an identity provider says, by a rule.",
    )
    rule = models.ForeignKey(
        "accounts.ClaimRule", null=True, blank=True, editable=False, on_delete=models.PROTECT,
        related_name="memberships",
    )  # fmt: skip
    identity = models.ForeignKey(
        "accounts.Identity", null=True, blank=True, editable=False, on_delete=models.PROTECT,
        related_name="memberships",
    )  # fmt: skip
    invitation = models.ForeignKey(
        "accounts.Invitation", null=True, blank=True, editable=False, on_delete=models.PROTECT,
        related_name="memberships",
    )  # fmt: skip
    added_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+"
    )

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(role__in=["pi", "manager", "member"]), name="membership_role_is_known"
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
                name="membership_ends_after_it_begins",
                violation_error_message="The end must not be before the beginning.",
            ),
            models.CheckConstraint(
                condition=Q(synced=True, rule__isnull=False) | Q(synced=False, rule=None),
                name="synced_memberships_name_their_rule",
            ),
            ExclusionConstraint(
                name="one_role_at_a_time",
                # Integer ranges: the embedded server has no btree_gist.
                expressions=[
                    (Func("user", "user", Value("[]"), function="int8range"), "&&"),
                    (Func("group", "group", Value("[]"), function="int8range"), "&&"),
                    (
                        Func(
                            Cast("synced", models.IntegerField()),
                            Cast("synced", models.IntegerField()),
                            Value("[]"),
                            function="int4range",
                        ),
                        "&&",
                    ),
                    (
                        Func(
                            "valid_from",
                            "valid_to",
                            function="tstzrange",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                violation_error_message="The person already has a role in this group then.",
            ),
        )
        indexes = (models.Index(fields=["group", "valid_to"]),)

    def __str__(self) -> str:
        return f"{self.user} is {self.get_role_display()} of {self.group}"

    def clean(self) -> None:
        # Said of the field, so that the database is not asked about a range that is none.
        begins: datetime | None = self.valid_from  # a form may have left it empty
        if begins and self.valid_to and self.valid_to < begins:
            raise ValidationError({"valid_to": "The end must not be before the beginning."})

    def validate_constraints(self, exclude: Iterable[str] | None = None) -> None:
        """No form shows `synced`; the constraints that compare it are checked all the same."""
        super().validate_constraints(exclude=set(exclude or ()) - {"synced"})

    @property
    def strength(self) -> int:
        """Orders roles: of two that are in force together the higher one counts."""
        return (self.Role.MEMBER, self.Role.MANAGER, self.Role.PI).index(self.Role(self.role))

    def is_valid(self, *, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)
