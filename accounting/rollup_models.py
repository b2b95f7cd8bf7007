"""Roll-ups: sums of closed charges, which may be dropped and rebuilt.

They are written by the million from charges, whose own foreign keys are checked; checking them
again would cost more than summing.
"""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from accounts.models import Group, User
from sessions.models import Amounts, Hub


class Kind(models.Model):
    """What sessions are alike in, beside person and group: hub, image, size and institution.

    Its key is computed from the rest (`accounting.kinds`), so whoever sums needs not look it up.
    """

    id = models.UUIDField(primary_key=True)
    hub = models.ForeignKey(
        Hub, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    image = models.TextField(blank=True)
    size = models.TextField(blank=True)
    institution = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.image} in {self.size} on {self.hub}"


class GroupDay(Amounts):
    """What the closed charges of a group (or of nobody) used on a UTC day."""

    day = models.DateField()
    group = models.ForeignKey(
        Group,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["group", "day"], name="one_sum_per_group_and_day", nulls_distinct=False
            ),
        )
        indexes = (models.Index(fields=["day", "group"], name="group_day"),)

    def __str__(self) -> str:
        return f"{self.group or 'nobody'} on {self.day}"


class UserDay(Amounts):
    """What the closed charges of a person in a group used on a UTC day with sessions of a kind."""

    day = models.DateField()
    group = models.ForeignKey(
        Group,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    user = models.ForeignKey(
        User,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    kind = models.ForeignKey(
        Kind, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["group", "day", "user", "kind"],
                name="one_sum_per_group_day_user_and_kind",
                nulls_distinct=False,
            ),
        )
        indexes = (
            models.Index(fields=["user", "day"], name="user_day"),
            # Rows are written in the order of their days, for which a BRIN costs next to nothing.
            BrinIndex(fields=["day"], pages_per_range=16, autosummarize=True, name="user_day_brin"),
        )

    def __str__(self) -> str:
        return f"{self.user or 'somebody'} in {self.group or 'no group'} on {self.day}"


class Month(Amounts):
    """Sums of the days of a UTC month, as far as `SummedMonth` says."""

    month = models.DateField(help_text="Its first day.")

    class Meta:
        abstract = True


class MemberMonth(Month):
    """What the closed charges of a person in a group used in a month with sessions of a kind."""

    group = models.ForeignKey(
        Group,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    user = models.ForeignKey(
        User,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    kind = models.ForeignKey(
        Kind, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["month", "group", "user", "kind"],
                name="one_sum_per_month_group_user_and_kind",
                nulls_distinct=False,
            ),
        )
        indexes = (models.Index(fields=["user", "month"], name="member_month"),)

    def __str__(self) -> str:
        return f"{self.user or 'somebody'} in {self.group or 'no group'} in {self.month:%Y-%m}"


class UserMonth(Month):
    """What a person's closed charges, whoever pays, used in a month."""

    user = models.ForeignKey(
        User,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["month", "user"], name="one_sum_per_month_and_user", nulls_distinct=False
            ),
        )

    def __str__(self) -> str:
        return f"{self.user or 'somebody'} in {self.month:%Y-%m}"


class KindSums(Amounts):
    """What the closed charges of a group (or of nobody) used with sessions of a kind."""

    group = models.ForeignKey(
        Group,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    kind = models.ForeignKey(
        Kind, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )

    class Meta:
        abstract = True


class KindDay(KindSums):
    """The same on a UTC day."""

    day = models.DateField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["group", "day", "kind"],
                name="one_sum_per_group_day_and_kind",
                nulls_distinct=False,
            ),
        )
        indexes = (
            BrinIndex(fields=["day"], pages_per_range=16, autosummarize=True, name="kind_day_brin"),
        )

    def __str__(self) -> str:
        return f"{self.kind_id} of {self.group or 'nobody'} on {self.day}"


class KindMonth(KindSums):
    """The same in a UTC month: the sum of the days."""

    month = models.DateField(help_text="Its first day.")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["group", "month", "kind"],
                name="one_sum_per_group_month_and_kind",
                nulls_distinct=False,
            ),
        )
        indexes = (
            BrinIndex(
                fields=["month"], pages_per_range=16, autosummarize=True, name="kind_month_brin"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind_id} of {self.group or 'nobody'} in {self.month:%Y-%m}"


class SummedMonth(models.Model):
    """A month whose sums count, as far as its days have settled: none was summed again since."""

    month = models.DateField(primary_key=True, help_text="Its first day.")
    until = models.DateField(help_text="The first day that is not summed yet.")

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} before {self.until}"
