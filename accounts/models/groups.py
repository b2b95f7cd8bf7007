"""Groups."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q

from accounts.models.memberships import Membership
from accounts.models.numbers import AllocatedNumber
from accounts.models.people import User
from accounts.names import NAME_REGEX, validate_name
from lsp_portal.lib import clock

ANCESTORS = """
    WITH RECURSIVE above AS (
        SELECT g.*, 1 AS height FROM accounts_group g WHERE g.id = %s
        UNION ALL
        SELECT g.*, a.height + 1 FROM accounts_group g JOIN above a ON g.id = a.parent_id
    )
    SELECT * FROM above ORDER BY height DESC
"""


class GroupQuerySet(models.QuerySet["Group"]):
    def of(self, user: User, *, at: datetime) -> Self:
        """Groups that the person may charge: any role, valid at that moment."""
        own = Membership.objects.valid(at=at).filter(user=user)
        return self.filter(pk__in=own.values("group"))

    def led_by(self, user: User, *, at: datetime) -> Self:
        """Groups that the person looks after: as PI, or as a manager who may see the usage."""
        return self.where(user, may=Membership.Right.USAGE, at=at)

    def where(self, user: User, *, may: Membership.Right, at: datetime) -> Self:
        """Groups in which the person has that right: PIs have all, managers those given."""
        entitled = Membership.objects.valid(at=at).filter(user=user).with_right(may)
        return self.filter(pk__in=entitled.values("group"))

    def visible_to(self, user: User, *, at: datetime) -> Self:
        """Groups whose page the person may open: those they lead; staff see all."""
        return self.all() if user.is_staff else self.led_by(user, at=at)


class Group(models.Model):
    """A science campaign, a workshop or a service: what sessions are charged to."""

    class Kind(models.TextChoices):
        CAMPAIGN = "campaign", "science campaign"
        WORKSHOP = "workshop", "workshop"
        SERVICE = "service", "service"

    name = models.CharField(max_length=30, unique=True, validators=[validate_name])
    title = models.CharField(max_length=120)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.CAMPAIGN)
    parent = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="children",
        help_text="The group that this one is a part of.",
    )
    description = models.TextField(blank=True, max_length=4000)
    gid = AllocatedNumber("GID", kind="group")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    opens_at = models.DateTimeField(
        null=True, blank=True, help_text="Before this moment nothing is charged to the group."
    )
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text="From this moment on nothing new is charged to the group."
    )

    objects = GroupQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=Q(name__regex=NAME_REGEX), name="group_name_is_a_slug"
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(opens_at=None) | Q(closed_at__gte=F("opens_at")),
                name="group_closes_after_it_opens",
                violation_error_message="The group must not close before it opens.",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def ancestors(self) -> list[Group]:
        """The groups that this one is a part of, the nearest last; one query."""
        if self.parent_id is None:
            return []
        return list(Group.objects.raw(ANCESTORS, [self.parent_id]))

    def is_closed(self, *, at: datetime) -> bool:
        """Whether nothing may be charged to the group then: it has closed or is not yet open."""
        closed = self.closed_at is not None and self.closed_at <= at
        return closed or (self.opens_at is not None and self.opens_at > at)
