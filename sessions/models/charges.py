"""Charges: the one thing that is summed."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import DurationField, ExpressionWrapper, F, Q
from django.db.models.lookups import GreaterThan

from accounts.models import Group, User
from sessions.models.records import Session

LENGTH = ExpressionWrapper(F("ended_at") - F("started_at"), output_field=DurationField())


class Charge(models.Model):
    """An interval of resources that a group pays for; open while it runs.

    Amounts are exact integers: whole seconds times millicores, MiB or GPUs. A sign of -1
    takes back what an earlier charge booked.
    """

    class Origin(models.TextChoices):
        NOTEBOOK = "notebook", "notebook"
        DASK = "dask", "Dask worker"
        BATCH = "batch", "batch job"
        ADJUSTMENT = "adjustment", "adjustment"

    session = models.ForeignKey(
        Session, on_delete=models.PROTECT, related_name="charges", db_index=False
    )
    user = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    group = models.ForeignKey(
        Group, null=True, on_delete=models.PROTECT, related_name="charges", db_index=False
    )
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    cpu_millicores = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField(default=0)
    gpus = models.PositiveIntegerField(default=0)
    sign = models.SmallIntegerField(default=1)
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.NOTEBOOK)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["session"],
                condition=Q(origin="notebook"),
                name="one_notebook_charge_per_session",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("started_at")),
                name="charge_ends_after_it_starts",
            ),
            models.CheckConstraint(condition=Q(sign__in=[1, -1]), name="charge_sign_is_one"),
            models.CheckConstraint(condition=Q(cpu_millicores__gte=1), name="charge_has_cpu"),
        )
        indexes = (
            models.Index(
                fields=["group", "started_at"],
                include=["ended_at", "cpu_millicores", "sign"],
                name="charge_group_start",
            ),
            models.Index(fields=["session"], name="charge_session"),
            models.Index(fields=["group"], condition=Q(ended_at=None), name="charge_open"),
            # Long charges are few; the longest of a group bounds where those of a window start.
            models.Index(
                F("group"),
                LENGTH,
                condition=Q(GreaterThan(LENGTH, timedelta(days=1))),
                name="charge_long",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_origin_display()} charge of {self.session}"


class Amounts(models.Model):
    """Exact sums of closed charges: resources times whole seconds."""

    millicore_seconds = models.BigIntegerField(default=0)
    mib_seconds = models.BigIntegerField(default=0)
    gpu_seconds = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class GroupMonth(Amounts):
    """What the closed charges of a group (or of nobody) used in a UTC month, for `sessions.usage`.

    The row counts while none of its days is stale for the group. Rows are disposable: where one
    is missing, charges are summed. Roll-ups write them by the thousand from charges, whose own
    foreign keys are checked.
    """

    id = models.BigAutoField(primary_key=True)
    month = models.DateField(help_text="Its first day.")
    until = models.DateField(help_text="The first day that is not summed yet.")
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
                fields=["group", "month"], name="one_sum_per_group_and_month", nulls_distinct=False
            ),
        )
        indexes = (models.Index(fields=["month"], name="group_month"),)

    def __str__(self) -> str:
        return f"{self.group or 'nobody'} in {self.month:%Y-%m}"


class StaleDay(models.Model):
    """A UTC day of a group whose roll-ups no longer follow from its charges.

    Appended with every change of a closed charge and deleted when the day was summed again;
    without a unique key, so that writers never wait for each other.
    """

    id = models.BigAutoField(primary_key=True)
    day = models.DateField()
    group = models.ForeignKey(
        Group, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )

    class Meta:
        indexes = (models.Index(fields=["group", "day"], name="stale_day"),)

    def __str__(self) -> str:
        return f"{self.day} of {self.group or 'nobody'}"
