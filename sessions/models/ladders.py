"""How far quotas have climbed the ladder of enforcement."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from accounts.models import User
from quotas.ladder import Ladder, Step
from quotas.models import ComputeQuota

STEPS = [(step.value, step.words) for step in Step]


class QuotaLadder(models.Model):
    """Where enforcement stands with a quota; there is none before the first step."""

    quota = models.OneToOneField(
        ComputeQuota, primary_key=True, on_delete=models.CASCADE, related_name="ladder"
    )
    limit = models.BigIntegerField(help_text="Millicore-seconds, when it was last looked at.")
    generation = models.PositiveIntegerField(default=1)
    step = models.PositiveSmallIntegerField(choices=STEPS)
    exhausted_at = models.DateTimeField(null=True, help_text="When the wrap-up began.")
    grace_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.quota_id}: {self.get_step_display()}"

    @classmethod
    def of(cls, quota: ComputeQuota, ladder: Ladder) -> Self:
        """The row that keeps the ladder."""
        return cls(
            quota=quota,
            limit=ladder.limit,
            generation=ladder.generation,
            step=ladder.taken.value,
            exhausted_at=ladder.exhausted_at,
            grace_until=ladder.grace_until,
        )

    def ladder(self) -> Ladder:
        return Ladder(
            limit=self.limit,
            generation=self.generation,
            taken=Step(self.step),
            exhausted_at=self.exhausted_at,
            grace_until=self.grace_until,
        )


class LadderStep(models.Model):
    """A step that a quota reached, once in each generation of its limit; never edited."""

    quota = models.ForeignKey(
        ComputeQuota, on_delete=models.CASCADE, related_name="ladder_steps", db_index=False
    )
    generation = models.PositiveIntegerField()
    step = models.PositiveSmallIntegerField(choices=STEPS)
    reached_at = models.DateTimeField(help_text="When it was noticed.")
    used = models.BigIntegerField(help_text="Millicore-seconds at that moment.")
    limit = models.BigIntegerField(help_text="Millicore-seconds at that moment.")
    was_passed = models.BooleanField(
        default=False, help_text="A higher step was reached at the same time and told instead."
    )
    granted_by = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Of a grace."
    )

    class Meta:
        ordering = ("-reached_at", "-pk")
        constraints = (
            models.UniqueConstraint(
                fields=["quota", "generation", "step"], name="ladder_step_is_taken_once"
            ),
            models.CheckConstraint(
                condition=Q(step=Step.GRACE.value, granted_by__isnull=False)
                | ~Q(step=Step.GRACE.value) & Q(granted_by=None),
                name="only_a_grace_is_granted",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_step_display()}"
