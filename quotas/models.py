"""Allocation periods, and what groups are given in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Self, TypeVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Func, Q

from accounts.models import Group


class AllocationPeriodQuerySet(models.QuerySet["AllocationPeriod"]):
    def current(self, *, at: datetime) -> AllocationPeriod | None:
        """The period that contains the moment; None between periods."""
        day = at.astimezone(UTC).date()
        return self.filter(starts_on__lte=day, ends_on__gt=day).first()


class AllocationPeriod(models.Model):
    """Half-open UTC dates for which computing time is awarded."""

    title = models.CharField(max_length=60, unique=True)
    starts_on = models.DateField("first day")
    ends_on = models.DateField("first day after", help_text="The period ends before this day.")

    objects = AllocationPeriodQuerySet.as_manager()

    class Meta:
        ordering = ("-starts_on",)
        constraints = (
            models.CheckConstraint(
                condition=Q(ends_on__gt=F("starts_on")),
                name="period_ends_after_it_starts",
                violation_error_message="The period must end after it starts.",
            ),
            ExclusionConstraint(
                name="periods_do_not_overlap",
                expressions=[
                    (
                        Func(
                            "starts_on",
                            "ends_on",
                            function="daterange",
                            output_field=DateRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    )
                ],
                violation_error_message="Another allocation period overlaps these dates.",
            ),
        )

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        # Said of the field, so that the database is not asked about a range that is none.
        starts_on: date | None = self.starts_on  # a form may have left either empty
        ends_on: date | None = self.ends_on
        if starts_on and ends_on and ends_on <= starts_on:
            raise ValidationError({"ends_on": "The period must end after it starts."})

    @property
    def starts_at(self) -> datetime:
        return datetime.combine(self.starts_on, time(), UTC)

    @property
    def ends_at(self) -> datetime:
        return datetime.combine(self.ends_on, time(), UTC)


QuotaModel = TypeVar("QuotaModel", bound=models.Model)


class QuotaQuerySet(models.QuerySet[QuotaModel]):
    def of(self, group: Group, *, at: datetime) -> Self:
        """The group's quota in the period that contains the moment (none or one row)."""
        day = at.astimezone(UTC).date()
        return self.filter(
            group=group, period__starts_on__lte=day, period__ends_on__gt=day
        ).select_related("period")


class ComputeQuota(models.Model):
    """Core-hours that a group may use, or is expected to use, in a period."""

    class Mode(models.TextChoices):
        NOMINAL = "nominal", "nominal (count and warn)"
        SOFT = "soft", "soft (refuse new sessions)"
        HARD = "hard", "hard (also stop running ones)"

    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="compute_quotas")
    period = models.ForeignKey(AllocationPeriod, on_delete=models.PROTECT, related_name="quotas")
    core_hours = models.DecimalField(max_digits=16, decimal_places=6)
    mode = models.CharField(max_length=7, choices=Mode, default=Mode.NOMINAL)

    objects = QuotaQuerySet["ComputeQuota"].as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["group", "period"],
                name="one_compute_quota_per_group_and_period",
                violation_error_message="The group already has a compute quota in this period.",
            ),
            models.CheckConstraint(
                condition=Q(core_hours__gte=Decimal(0)),
                name="compute_quota_is_not_negative",
                violation_error_message="Core-hours must not be negative.",
            ),
            models.CheckConstraint(
                condition=Q(mode__in=["nominal", "soft", "hard"]), name="quota_mode_is_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.core_hours} core-hours of {self.group} in {self.period}"


class StorageQuota(models.Model):
    """Bytes that a group's files may take in a period."""

    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="storage_quotas")
    period = models.ForeignKey(
        AllocationPeriod, on_delete=models.PROTECT, related_name="storage_quotas"
    )
    limit_bytes = models.PositiveBigIntegerField("limit in bytes")

    objects = QuotaQuerySet["StorageQuota"].as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["group", "period"],
                name="one_storage_quota_per_group_and_period",
                violation_error_message="The group already has a storage quota in this period.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.limit_bytes} bytes of {self.group} in {self.period}"
