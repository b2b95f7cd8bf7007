"""Links to statements, and monthly mails with them: to whom, and what became of each."""

from __future__ import annotations

from datetime import date, datetime
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from accounts.models import Group, User
from accounts.models.notices import Delivery, DeliveryQuerySet
from lsp_portal.lib import clock
from quotas.models import AllocationPeriod


class ReportLink(models.Model):
    """Whoever has the address reads one statement of one group, until it expires or is revoked.

    Only the SHA-256 of what stands in the address is stored; 256 random bits need no slow hash.
    """

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="report_links")
    period = models.ForeignKey(
        AllocationPeriod,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Empty: other dates.",
    )
    starts_on = models.DateField("first day")
    ends_on = models.DateField("first day after")
    with_names = models.BooleanField("names people", default=False)
    note = models.CharField("for", max_length=100, help_text="Whom or what it is for.")
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    uses = models.PositiveIntegerField(default=0, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    minute = models.DateTimeField(null=True, editable=False)
    minute_uses = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(ends_on__gt=F("starts_on")), name="report_link_has_days"
            ),
        )

    def __str__(self) -> str:
        return f"link to {self.group} for {self.note}"

    def is_open(self, *, at: datetime) -> bool:
        return self.revoked_at is None and self.expires_at > at


class ReportScheduleQuerySet(models.QuerySet["ReportSchedule"]):
    def going_on(self) -> Self:
        """Those that nobody ended; paused ones too."""
        return self.filter(ended_at=None)

    def due(self, *, at: datetime) -> Self:
        return self.going_on().filter(paused_at=None, due_at__lte=at)


class ReportSchedule(models.Model):
    """The statement of a group by mail, every month: about `next_month` when `due_at` has come."""

    class Covers(models.TextChoices):
        MONTH = "month", "the month before"
        PERIOD = "period", "the allocation period until the end of the month before"

    class File(models.TextChoices):
        PDF = "pdf", "PDF"
        ODS = "ods", "ODS"
        CSV = "csv", "CSV"

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="report_schedules")
    covers = models.CharField(max_length=6, choices=Covers, default=Covers.PERIOD)
    file = models.CharField(max_length=3, choices=File, default=File.PDF)
    day = models.PositiveSmallIntegerField(
        "day of the month", default=3, validators=[MinValueValidator(1), MaxValueValidator(28)]
    )
    with_names = models.BooleanField("names people", default=False)
    next_month = models.DateField(help_text="The first day of the month of the next mail.")
    due_at = models.DateTimeField("next mail")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    paused_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = ReportScheduleQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(day__gte=1, day__lte=28), name="reports_go_out_on_a_day_of_each_month"
            ),
        )
        indexes = (
            models.Index(
                fields=["due_at"],
                condition=Q(paused_at=None, ended_at=None),
                name="report_schedules_to_run",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_file_display()} of {self.group} on day {self.day}"


class ReportRecipientQuerySet(models.QuerySet["ReportRecipient"]):
    def current(self) -> Self:
        """Those who neither left nor were taken off."""
        return self.filter(ended_at=None)

    def confirmed(self) -> Self:
        return self.current().filter(confirmed_at__isnull=False)


class ReportRecipient(models.Model):
    """Somebody who leads the group, or an address from which it was confirmed."""

    schedule = models.ForeignKey(
        ReportSchedule, on_delete=models.CASCADE, related_name="recipients"
    )
    user = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    email = models.EmailField(blank=True, help_text="Of somebody without an account.")
    added_at = models.DateTimeField(default=clock.now, editable=False)
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = ReportRecipientQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["schedule", "user", "email"],
                name="one_recipient_of_a_schedule",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(user=None) ^ Q(email=""), name="a_recipient_is_a_person_or_an_address"
            ),
        )

    def __str__(self) -> str:
        return self.address

    @property
    def address(self) -> str:
        return self.user.email if self.user else self.email


class ReportMail(Delivery):
    """One mail to one recipient: about a month, or, without one, the question to confirm."""

    recipient = models.ForeignKey(ReportRecipient, on_delete=models.CASCADE, related_name="mails")
    month = models.DateField(null=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = DeliveryQuerySet["ReportMail"].as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["recipient", "month"],
                name="one_report_a_month",
                nulls_distinct=False,
            ),
        )
        indexes = (
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="reports_to_send"),
        )

    def __str__(self) -> str:
        return f"{self.recipient}: {self.month or 'question'}"


def month_after(month: date) -> date:
    """The first day of the month that follows."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
