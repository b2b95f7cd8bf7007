"""Allocation periods, and what groups are given in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Self, TypeVar

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Func, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import Cast, Coalesce, Greatest, Least

from accounts.models import Group, Membership, User
from lsp_portal.lib import clock
from lsp_portal.lib.display import byte_size

HOURS: models.DecimalField[Decimal, Decimal] = models.DecimalField(max_digits=16, decimal_places=6)


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


class ComputeQuotaQuerySet(QuotaQuerySet["ComputeQuota"]):
    def with_limit(self, *, at: datetime) -> Self:
        """The quotas with `limit`, the core-hours with all grants of that moment.

        Before its period a quota has the limit of its first moment, after it that of its last.
        """
        moment = Least(
            Greatest(Value(at), Cast("period__starts_on", models.DateTimeField())),
            Cast("period__ends_on", models.DateTimeField()) - timedelta(microseconds=1),
        )
        granted = (
            Grant.objects.filter(quota=OuterRef("pk"))
            .in_force(at=OuterRef("moment"))
            .order_by()
            .values("quota")
            .annotate(total=Sum("core_hours"))
            .values("total")
        )
        nothing = Value(Decimal(0), output_field=HOURS)
        limit = F("core_hours") + Coalesce(Subquery(granted), nothing)
        return self.alias(moment=moment).annotate(limit=Greatest(limit, nothing))


class ComputeQuota(models.Model):
    """Core-hours that a group may use, or is expected to use, in a period; grants come on top."""

    limit: Decimal
    """The core-hours with all grants; of rows read `with_limit`."""

    class Mode(models.TextChoices):
        NOMINAL = "nominal", "nominal (count and warn)"
        SOFT = "soft", "soft (refuse new sessions)"
        HARD = "hard", "hard (also stop running ones)"

    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="compute_quotas")
    period = models.ForeignKey(AllocationPeriod, on_delete=models.PROTECT, related_name="quotas")
    core_hours = models.DecimalField(max_digits=16, decimal_places=6)
    mode = models.CharField(max_length=7, choices=Mode, default=Mode.NOMINAL)

    objects = ComputeQuotaQuerySet.as_manager()

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


class GrantQuerySet(models.QuerySet["Grant"]):
    def in_force(self, *, at: datetime | OuterRef) -> Self:
        """Grants that count at that moment (`valid_from <= at < valid_to`)."""
        return self.filter(Q(valid_to=None) | Q(valid_to__gt=at), valid_from__lte=at)


class Grant(models.Model):
    """Core-hours on top of a quota, or off it, for good or for a while; never edited afterwards.

    The two sides of a move between groups refer to each other.
    """

    quota = models.ForeignKey(ComputeQuota, on_delete=models.PROTECT, related_name="grants")
    core_hours = models.DecimalField(
        max_digits=16, decimal_places=6, help_text="Below zero to take some away."
    )
    reason = models.CharField(max_length=300)
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    valid_from = models.DateTimeField(default=clock.now)
    valid_to = models.DateTimeField(
        null=True, blank=True, help_text="From then on the grant counts no more. Empty: no end."
    )
    counterpart = models.OneToOneField(
        "self", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+"
    )

    objects = GrantQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=~Q(core_hours=Decimal(0)),
                name="grant_is_not_nothing",
                violation_error_message="Give some core-hours, or take some away.",
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gt=F("valid_from")),
                name="grant_ends_after_it_begins",
                violation_error_message="The grant must end after it begins.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.core_hours:+f} core-hours: {self.reason}"


class Caps(models.Model):
    """What a group, or one of its members, may take at most; empty fields are no limit."""

    group = models.OneToOneField(Group, on_delete=models.PROTECT, related_name="caps")
    member_core_hours = models.DecimalField(
        "core-hours of a member",
        max_digits=16,
        decimal_places=6,
        null=True,
        blank=True,
        help_text="In each allocation period.",
    )
    member_sessions = models.PositiveSmallIntegerField(
        "sessions of a member",
        null=True,
        blank=True,
        help_text="Pending and running at once, charged to this group.",
    )
    sessions = models.PositiveIntegerField(
        "sessions of the group", null=True, blank=True, help_text="Pending and running at once."
    )
    gpus = models.PositiveIntegerField(
        "GPUs of the group",
        null=True,
        blank=True,
        help_text="Held at once by pending and running sessions.",
    )
    workers = models.PositiveIntegerField(
        "Dask workers of the group",
        null=True,
        blank=True,
        help_text="That its Dask clusters may have at once.",
    )

    class Meta:
        verbose_name = verbose_name_plural = "caps"
        constraints = (
            models.CheckConstraint(
                condition=Q(member_core_hours=None) | Q(member_core_hours__gte=Decimal(0)),
                name="member_cap_is_not_negative",
                violation_error_message="Core-hours must not be negative.",
            ),
        )

    def __str__(self) -> str:
        return f"caps of {self.group}"


class Award(models.Model):
    """A part of what the service itself was given for a period, by one of its funders."""

    period = models.ForeignKey(AllocationPeriod, on_delete=models.PROTECT, related_name="awards")
    source = models.CharField(max_length=120, help_text="Who gave it: “IRIS 2026”.")
    core_hours = models.DecimalField(max_digits=16, decimal_places=6)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["period", "source"],
                name="one_award_per_period_and_source",
                violation_error_message="There is an award of this source in the period already.",
            ),
            models.CheckConstraint(
                condition=Q(core_hours__gt=Decimal(0)),
                name="award_is_more_than_nothing",
                violation_error_message="An award has more than 0 core-hours.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.core_hours:f} core-hours of {self.source} in {self.period}"


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


class HomeQuotaQuerySet(models.QuerySet["HomeQuota"]):
    def in_force(self, *, at: datetime) -> Self:
        """What counts at that moment, the newest first."""
        rows = self.filter(Q(valid_to=None) | Q(valid_to__gt=at), valid_from__lte=at)
        return rows.order_by("-valid_from", "-pk")

    def limit_of(self, user: User, *, at: datetime) -> int:
        """The bytes that the person's home may take: the newest exception, or what all have."""
        newest = self.in_force(at=at).filter(user=user).values_list("limit_bytes", flat=True)
        found = newest.first()
        return settings.HOME_QUOTA_BYTES if found is None else found


class HomeQuota(models.Model):
    """An exception from the quota that every home has, for good or for a while; never edited."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="home_quotas")
    limit_bytes = models.PositiveBigIntegerField("limit in bytes")
    reason = models.CharField(max_length=300)
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    valid_from = models.DateTimeField(default=clock.now)
    valid_to = models.DateTimeField(
        null=True, blank=True, help_text="From then on the exception counts no more. Empty: no end."
    )

    objects = HomeQuotaQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gt=F("valid_from")),
                name="home_quota_ends_after_it_begins",
                violation_error_message="The exception must end after it begins.",
            ),
        )

    def __str__(self) -> str:
        return f"{byte_size(self.limit_bytes)} for the home of {self.user}"


class QuotaRequestQuerySet(models.QuerySet["QuotaRequest"]):
    def undecided(self) -> Self:
        """Requests for which somebody still has to do something."""
        return self.filter(state__in=QuotaRequest.UNDECIDED)

    def of_groups_of(self, user: User, *, at: datetime) -> Self:
        """Those of groups for which the person may ask."""
        groups = Group.objects.where(user, may=Membership.Right.QUOTA, at=at)
        return self.filter(group__in=groups.values("pk"))

    def waiting_for(self, user: User, *, at: datetime) -> Self:
        """Offers that the person may accept or turn down."""
        return self.of_groups_of(user, at=at).filter(state=QuotaRequest.State.COUNTERED)


class QuotaRequest(models.Model):
    """What a group asks for in a period; kept for ever, with what was known when it was asked.

    `amount` and `offered` are core-hours on top of the quota, or the bytes of a new storage quota.
    """

    class Kind(models.TextChoices):
        HOURS = "hours", "core-hours"
        STORAGE = "storage", "storage"

    class State(models.TextChoices):
        OPEN = "open", "waiting for a decision"
        COUNTERED = "countered", "another amount offered"
        GRANTED = "granted", "granted"
        DECLINED = "declined", "declined"
        TURNED_DOWN = "turned_down", "offer turned down"
        WITHDRAWN = "withdrawn", "withdrawn"

    UNDECIDED = (State.OPEN, State.COUNTERED)

    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="quota_requests")
    period = models.ForeignKey(AllocationPeriod, on_delete=models.PROTECT, related_name="requests")
    kind = models.CharField(max_length=7, choices=Kind)
    state = models.CharField(max_length=11, choices=State, default=State.OPEN)
    amount = models.DecimalField(max_digits=26, decimal_places=6)
    offered = models.DecimalField(max_digits=26, decimal_places=6, null=True)
    reason = models.TextField(max_length=2000)
    facts = models.JSONField()
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    answer = models.TextField(max_length=300, blank=True)
    closed_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True)
    grant = models.OneToOneField(Grant, null=True, on_delete=models.PROTECT, related_name="request")

    objects = QuotaRequestQuerySet.as_manager()

    class Meta:
        ordering = ("-asked_at", "-pk")
        constraints = (
            models.UniqueConstraint(
                fields=["group", "period", "kind"],
                condition=Q(state__in=["open", "countered"]),
                name="one_undecided_request",
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=Decimal(0)), name="request_is_more_than_nothing"
            ),
            models.CheckConstraint(
                condition=Q(offered=None) | Q(offered__gt=Decimal(0)),
                name="offer_is_more_than_nothing",
            ),
        )

    def __str__(self) -> str:
        return f"{self.words} for {self.group} in {self.period}"

    @property
    def words(self) -> str:
        """What is asked for, with its unit."""
        return self._written(self.amount)

    @property
    def offered_words(self) -> str:
        return self._written(self.offered) if self.offered is not None else ""

    @property
    def is_undecided(self) -> bool:
        return self.state in self.UNDECIDED

    def _written(self, amount: Decimal) -> str:
        if self.kind == self.Kind.HOURS:
            return f"{amount.normalize():,f} core-hours"
        return byte_size(int(amount))
