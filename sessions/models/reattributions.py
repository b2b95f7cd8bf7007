"""What people ask for a session: that another group of the person pays."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q

from accounts.models import Group, Membership, User
from sessions.models.adjustments import Adjustment
from sessions.models.records import Session


class ReattributionQuerySet(models.QuerySet["Reattribution"]):
    def open(self, *, at: datetime) -> Self:
        """Those that can be answered at that moment."""
        return self.filter(state=Reattribution.State.OPEN, expires_at__gt=at)

    def waiting_for(self, user: User, *, at: datetime) -> Self:
        """Open ones about which the person decides as PI of the group that is to pay."""
        led = Membership.objects.valid(at=at).filter(user=user, role=Membership.Role.PI)
        return self.open(at=at).filter(to_group__in=led.values("group"))

    def visible_to(self, user: User, *, at: datetime) -> Self:
        """Those that concern the person: asked, own, or of a group that the person leads."""
        if user.is_staff:
            return self.all()
        led = Group.objects.led_by(user, at=at).values("pk")
        own = Q(asked_by=user) | Q(session__user=user)
        return self.filter(own | Q(from_group__in=led) | Q(to_group__in=led))


class Reattribution(models.Model):
    """A request that another group pays for a session; kept for ever, with its answer."""

    class State(models.TextChoices):
        OPEN = "open", "waiting for an answer"
        ACCEPTED = "accepted", "accepted"
        DECLINED = "declined", "declined"
        WITHDRAWN = "withdrawn", "withdrawn"
        EXPIRED = "expired", "expired without an answer"

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="reattributions")
    from_group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="+")
    to_group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    reason = models.CharField(max_length=400)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="From then on nobody can accept it.")
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=400, blank=True)
    adjustment = models.OneToOneField(
        Adjustment, null=True, on_delete=models.PROTECT, related_name="request"
    )

    objects = ReattributionQuerySet.as_manager()

    class Meta:
        ordering = ("-asked_at", "-pk")
        constraints = (
            models.UniqueConstraint(
                fields=["session"], condition=Q(state="open"), name="one_open_reattribution"
            ),
            models.CheckConstraint(
                condition=~Q(from_group=F("to_group")), name="reattribution_is_to_another_group"
            ),
            models.CheckConstraint(
                condition=Q(state="open", decided_at=None)
                | ~Q(state="open") & Q(decided_at__isnull=False),
                name="reattribution_is_open_until_decided",
            ),
            models.CheckConstraint(
                condition=Q(state="accepted", adjustment__isnull=False)
                | ~Q(state="accepted") & Q(adjustment=None),
                name="accepted_reattribution_is_booked",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "expired"], decided_by=None)
                | Q(state__in=["accepted", "declined", "withdrawn"], decided_by__isnull=False),
                name="reattribution_is_decided_by_somebody",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="reattribution_has_a_reason"),
        )
        indexes = (
            models.Index(
                fields=["expires_at"], condition=Q(state="open"), name="reattribution_ends"
            ),
            models.Index(fields=["-asked_at", "-id"], name="reattribution_newest"),
        )

    def __str__(self) -> str:
        return f"{self.session} from {self.from_group} to {self.to_group}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN
