"""What was published, never dropped: export marks, statements; and roll-ups, which may be."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.indexes import BrinIndex
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Func, Q, Value

from accounting.rollup_models import GroupDay as GroupDay
from accounting.rollup_models import Kind as Kind
from accounting.rollup_models import KindDay as KindDay
from accounting.rollup_models import KindMonth as KindMonth
from accounting.rollup_models import MemberMonth as MemberMonth
from accounting.rollup_models import SummedMonth as SummedMonth
from accounting.rollup_models import UserDay as UserDay
from accounting.rollup_models import UserMonth as UserMonth
from accounting.sharing.models import ReportLink as ReportLink
from accounting.sharing.models import ReportMail as ReportMail
from accounting.sharing.models import ReportRecipient as ReportRecipient
from accounting.sharing.models import ReportSchedule as ReportSchedule
from accounting.webhooks.models import Webhook as Webhook
from accounting.webhooks.models import WebhookMessage as WebhookMessage
from accounts.models import Group, User
from lsp_portal.lib import clock
from quotas.models import AllocationPeriod
from sessions.models import Amounts, Hub, Session


class ExportRun(models.Model):
    """One run of an exporter for a hub: it claims sessions first and writes files afterwards."""

    class State(models.TextChoices):
        CLAIMED = "claimed", "claimed, not yet written"
        WRITTEN = "written", "written"

    hub = models.ForeignKey(Hub, on_delete=models.PROTECT, related_name="export_runs")
    started_at = models.DateTimeField(default=clock.now)
    until = models.DateTimeField(help_text="Sessions that ended before this were exported.")
    settle_seconds = models.PositiveIntegerField(
        default=0, help_text="How long before that a session had to have ended."
    )
    state = models.CharField(max_length=8, choices=State, default=State.CLAIMED)
    directory = models.TextField()
    first_job_id = models.PositiveBigIntegerField(default=1)
    jobs = models.PositiveIntegerField(default=0, help_text="Lines; their job ids are dense.")
    summary = models.JSONField(default=dict, help_text="The sums over the lines.")
    sha256 = models.CharField(
        "SHA-256", max_length=64, blank=True, help_text="Of the job file, once it is written."
    )

    class Meta:
        ordering = ("-started_at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["claimed", "written"]), name="export_run_state_is_known"
            ),
            ExclusionConstraint(
                name="job_ids_of_a_hub_are_used_once",
                expressions=[
                    (Func("hub", "hub", Value("[]"), function="int8range"), "&&"),
                    (
                        Func("first_job_id", F("first_job_id") + F("jobs"), function="int8range"),
                        "&&",
                    ),
                ],
            ),
        )

    def __str__(self) -> str:
        return f"export of {self.hub} until {self.until:%Y-%m-%d %H:%M}"


class ExportMark(models.Model):
    """What was published of a session, from which its line follows: one row each, never changed.

    A million rows are claimed at once by a statement that reads the sessions, so there are no more
    indexes than the rows need and no foreign key checks: the run is the claim's own, and the
    session cannot go because its charge refers to it. Runs hold the job ids of a hub apart.
    """

    session = models.OneToOneField(
        Session,
        on_delete=models.PROTECT,
        related_name="export_mark",
        primary_key=True,
        db_constraint=False,
    )
    run = models.ForeignKey(
        ExportRun,
        on_delete=models.PROTECT,
        related_name="marks",
        db_index=False,
        db_constraint=False,
    )
    submitted_at = models.DateTimeField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    job_id = models.PositiveIntegerField(help_text="The receiver's job id, dense per hub.")
    cpu_millicores = models.PositiveIntegerField()
    cpus = models.PositiveIntegerField(help_text="Whole CPUs, as the receiver wants them.")
    memory_mib = models.PositiveIntegerField()
    gpus = models.PositiveIntegerField()
    uid = models.PositiveIntegerField()
    gid = models.PositiveIntegerField()
    exit_code = models.IntegerField()
    user_name = models.CharField(max_length=30)
    group_name = models.CharField(max_length=30)
    job_state = models.CharField(max_length=13)
    size = models.CharField(max_length=60)
    node = models.CharField(max_length=60)
    image = models.CharField(max_length=60)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(ended_at__gte=F("started_at")), name="exported_end_is_after_start"
            ),
            models.CheckConstraint(
                condition=Q(job_id__gte=1, job_id__lte=2147483647),
                name="job_id_fits_the_receiver",
            ),
        )
        indexes = (BrinIndex(fields=["run", "job_id"], name="export_mark_of_run"),)

    def __str__(self) -> str:
        return f"job {self.job_id} of {self.run}"


class Statement(models.Model):
    """A closed allocation period, frozen: the database refuses to change or delete it.

    Its hash covers its lines and the hash of the statement before it.
    """

    number = models.PositiveIntegerField(primary_key=True, help_text="Dense, from 1.")
    period = models.OneToOneField(
        AllocationPeriod, on_delete=models.PROTECT, related_name="statement"
    )
    title = models.CharField(max_length=60)
    starts_on = models.DateField("first day")
    ends_on = models.DateField("first day after")
    closed_at = models.DateTimeField()
    author = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Empty: the shell."
    )
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of its content.")

    class Meta:
        ordering = ("-number",)

    def __str__(self) -> str:
        return f"statement {self.number}: {self.title}"


class StatementLine(Amounts):
    """What a group, or a person in a group, used in a closed period; names people by account.

    A correction is what the truth about an earlier period, `about`, differs by from all that was
    stated about it before.
    """

    class Kind(models.TextChoices):
        GROUP = "group", "group"
        PERSON = "person", "person"
        CORRECTION = "correction", "correction"

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="lines")
    about = models.ForeignKey(
        Statement, on_delete=models.PROTECT, related_name="stated", help_text="Whose period it is."
    )
    kind = models.CharField(max_length=10, choices=Kind)
    group = models.ForeignKey(Group, null=True, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    group_name = models.CharField(max_length=30, blank=True)
    group_title = models.CharField(max_length=120, blank=True)
    role = models.CharField(
        max_length=7, blank=True, help_text="The person's when the period ended; empty: none."
    )
    sessions = models.IntegerField(help_text="How many used something.")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["statement", "about", "kind", "group", "user"],
                name="one_line_of_a_kind_per_statement",
                nulls_distinct=False,
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.group_name or 'nobody'} in {self.statement}"


class ApelRun(models.Model):
    """One export of a hub for APEL: it claims records first and writes messages afterwards."""

    class State(models.TextChoices):
        CLAIMED = "claimed", "claimed, not yet written"
        WRITTEN = "written", "written"

    hub = models.ForeignKey(Hub, on_delete=models.PROTECT, related_name="apel_runs")
    started_at = models.DateTimeField()
    until = models.DateTimeField(help_text="What ended before this, and months that were over.")
    state = models.CharField(max_length=8, choices=State, default=State.CLAIMED)
    site = models.JSONField(help_text="The names under which it publishes.")
    directory = models.TextField()
    records = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["claimed", "written"]), name="apel_run_state_is_known"
            ),
        )

    def __str__(self) -> str:
        return f"APEL records of {self.hub} until {self.until:%Y-%m-%d %H:%M}"


class ApelMark(models.Model):
    """The record of a session's month that APEL has, or is about to get: the newest one counts."""

    session = models.ForeignKey(
        Session, on_delete=models.PROTECT, related_name="apel_marks", db_constraint=False
    )
    month = models.DateField(help_text="Its first day.")
    run = models.ForeignKey(
        ApelRun,
        on_delete=models.PROTECT,
        related_name="marks",
        db_index=False,
        db_constraint=False,
    )
    source = models.CharField(max_length=32, help_text="MD5 of what the records follow from.")
    cloud = models.TextField(help_text="The cloud record without the time of its making.")
    accelerator = models.JSONField(null=True, help_text="The accelerator record, with GPUs.")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["session", "month"], name="one_apel_record_per_session_and_month"
            ),
        )
        indexes = (models.Index(fields=["run", "id"], name="apel_mark_of_run"),)

    def __str__(self) -> str:
        return f"APEL record of session {self.session_id} in {self.month:%Y-%m}"


class ApelGroup(models.Model):
    """The name under which APEL knows a group: an FQAN, such as /vo/group/Role=NULL."""

    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="apel")
    fqan = models.CharField(
        "FQAN",
        max_length=255,
        validators=[
            RegexValidator(
                r"^(/[A-Za-z0-9._-]+)+(/Role=[A-Za-z0-9._-]+)?(/Capability=[A-Za-z0-9._-]+)?\Z",
                "Enter an FQAN such as /vo.example.org/group or /vo/group/Role=NULL.",
                code="bad_fqan",
            )
        ],
    )

    class Meta:
        verbose_name = "group at APEL"
        verbose_name_plural = "groups at APEL"

    def __str__(self) -> str:
        return f"{self.group} is {self.fqan}"


class StorageExport(models.Model):
    """A day of measured storage that a receiver was given, once."""

    receiver = models.CharField(max_length=120)
    day = models.DateField()
    records = models.PositiveIntegerField()
    written_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["receiver", "day"], name="a_day_of_storage_is_given_once"
            ),
        )

    def __str__(self) -> str:
        return f"storage of {self.day} for {self.receiver}"
