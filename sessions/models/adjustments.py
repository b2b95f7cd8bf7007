"""What people corrected: pairs of charges, which are never edited."""

from __future__ import annotations

from django.db import models

from accounts.models import User
from sessions.models.charges import Charge
from sessions.models.records import Session


class Adjustment(models.Model):
    """A pair of charges with opposite signs that books a session anew; written once, for ever."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="adjustments")
    taken_back = models.OneToOneField(
        Charge, on_delete=models.PROTECT, related_name="+", help_text="What was charged before."
    )
    booked = models.OneToOneField(
        Charge, on_delete=models.PROTECT, related_name="+", help_text="What is charged instead."
    )
    from_evidence = models.BooleanField(
        help_text="It takes back what followed from evidence, not an earlier adjustment."
    )
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500)
    made_at = models.DateTimeField()

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=~models.Q(reason=""), name="adjustment_has_a_reason"),
        )

    def __str__(self) -> str:
        return f"adjustment {self.pk} of session {self.session_id}"
