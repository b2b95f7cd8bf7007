"""Dask clusters of sessions, and each worker of theirs as its pod showed it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from sessions.models.charges import Charge
from sessions.models.records import Session

# Where the operator's schedulers listen.
SCHEDULER_PORT, DASHBOARD_PORT = 8786, 8787


class DaskClusterQuerySet(models.QuerySet["DaskCluster"]):
    def unfinished(self) -> Self:
        """Those of which objects may be in the Kubernetes cluster."""
        return self.filter(cleaned_at=None)

    def wanted(self) -> Self:
        """Those that are to run: what they may grow to is held for them."""
        return self.unfinished().filter(desired=DaskCluster.Desired.RUNNING)

    def in_motion(self) -> Self:
        """On their way up or down, or not as large yet as was asked for."""
        settled = Q(state=DaskCluster.State.RUNNING, applied=F("wish"))
        return self.unfinished().exclude(settled, desired=DaskCluster.Desired.RUNNING)

    def free(self, *, at: datetime) -> Self:
        """Those that no task is at."""
        return self.filter(Q(claimed_until=None) | Q(claimed_until__lte=at))


class DaskCluster(models.Model):
    """A Dask cluster of a session. The row says what is wanted; a task brings it about.

    Each change of size is another `wish`; `applied` is the last one that Kubernetes was told.
    With `maximum` the number of workers follows the work, else it is `workers`.
    """

    class State(models.TextChoices):
        ASKED = "asked", "asked for"
        STARTING = "starting", "starting"
        RUNNING = "running", "running"
        DELETING = "deleting", "being deleted"
        GONE = "gone", "gone"

    class Desired(models.TextChoices):
        RUNNING = "running", "running"
        GONE = "gone", "gone"

    key = models.UUIDField("cluster id", default=uuid.uuid4, unique=True, editable=False)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="dask_clusters")
    name = models.CharField(max_length=53, blank=True, help_text="Of its objects in Kubernetes.")
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    desired = models.CharField(max_length=7, choices=Desired, default=Desired.RUNNING)
    workers = models.PositiveIntegerField(help_text="How many, where they do not follow the work.")
    minimum = models.PositiveIntegerField(null=True)
    maximum = models.PositiveIntegerField(null=True)
    most = models.GeneratedField(
        expression=Coalesce(F("maximum"), F("workers")),
        output_field=models.PositiveIntegerField(),
        db_persist=True,
        help_text="Workers that it may have at once.",
    )
    cpu_millicores = models.PositiveIntegerField("CPU of a worker (millicores)")
    memory_mib = models.PositiveIntegerField("memory of a worker (MiB)")
    idle_seconds = models.PositiveIntegerField(help_text="Idle so long it ends; 0: never.")
    wish = models.PositiveIntegerField(default=1)
    applied = models.PositiveIntegerField(default=0)
    asked_at = models.DateTimeField()
    running_at = models.DateTimeField(null=True, help_text="When its scheduler answered first.")
    stop_asked_at = models.DateTimeField(null=True)
    cleaned_at = models.DateTimeField(null=True, help_text="When nothing of it was left.")
    note = models.TextField(blank=True, help_text="Why it waits or ended, for people.")
    claimed_until = models.DateTimeField(null=True, help_text="A task is at it until then.")
    changed_at = models.DateTimeField(help_text="Older looks at Kubernetes say nothing of it.")

    objects = DaskClusterQuerySet.as_manager()

    class Meta:
        verbose_name = "Dask cluster"
        constraints = (
            models.UniqueConstraint(
                fields=["session"],
                condition=Q(cleaned_at=None),
                name="one_dask_cluster_per_session",
            ),
            models.CheckConstraint(
                condition=Q(minimum=None, maximum=None)
                | Q(minimum__isnull=False, maximum__gte=F("minimum")),
                name="dask_minimum_and_maximum_belong_together",
            ),
            models.CheckConstraint(
                condition=Q(desired="gone") | Q(state__in=("asked", "starting", "running")),
                name="a_dask_cluster_that_ends_is_not_wanted",
            ),
            models.CheckConstraint(
                condition=Q(state="gone", cleaned_at__isnull=False)
                | ~Q(state="gone") & Q(cleaned_at=None),
                name="a_dask_cluster_is_gone_when_nothing_is_left",
            ),
            models.CheckConstraint(
                condition=Q(cpu_millicores__gte=1), name="a_dask_worker_has_cpu"
            ),
        )

    def __str__(self) -> str:
        return f"Dask cluster of session {self.session_id}"

    @property
    def namespace(self) -> str:
        """Where its objects are: beside the notebook."""
        return self.session.driven.namespace

    @property
    def scheduler_address(self) -> str | None:
        """Where the notebook reaches the scheduler; None before it has a name."""
        return f"tcp://{self._host}:{SCHEDULER_PORT}" if self.name else None

    @property
    def dashboard_url(self) -> str | None:
        return f"http://{self._host}:{DASHBOARD_PORT}" if self.name else None

    @property
    def _host(self) -> str:
        return f"{self.name}-scheduler.{self.namespace}.svc"

    @property
    def is_wanted(self) -> bool:
        return self.desired == self.Desired.RUNNING

    @property
    def is_adaptive(self) -> bool:
        return self.maximum is not None


class DaskWorkerQuerySet(models.QuerySet["DaskWorker"]):
    def running(self) -> Self:
        """Those that started and have not ended, as far as pods were seen."""
        return self.unended().filter(started_at__isnull=False)

    def unended(self) -> Self:
        return self.filter(finished_at=None, gone_at=None)


class DaskWorker(models.Model):
    """One worker, known by the uid of its pod.

    Each moment is the earliest that any look at the pod showed, so that order and repetition of
    looks cannot matter. What is charged follows in `hub_sessions_charge_workers`.
    """

    cluster = models.ForeignKey(
        DaskCluster, on_delete=models.PROTECT, related_name="recorded_workers"
    )
    pod_uid = models.CharField(max_length=64, unique=True)
    pod = models.TextField()
    node = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True, help_text="When its container began to run.")
    finished_at = models.DateTimeField(null=True, help_text="When its container ended for good.")
    gone_at = models.DateTimeField(null=True, help_text="When its pod was not there any more.")
    end_reason = models.TextField(blank=True)
    charge = models.OneToOneField(
        Charge, null=True, on_delete=models.PROTECT, related_name="dask_worker"
    )

    objects = DaskWorkerQuerySet.as_manager()

    class Meta:
        verbose_name = "Dask worker"
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Dask worker {self.pod}"
