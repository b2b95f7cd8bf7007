"""Servers that the portal runs itself: what is wanted, how far it is, and the steps so far."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q

from sessions.models.records import Session


class ServerQuerySet(models.QuerySet["Server"]):
    def unfinished(self) -> Self:
        """Those of which objects may be in the cluster."""
        return self.filter(cleaned_at=None)

    def in_motion(self) -> Self:
        """On their way up or down: somebody waits for the next step."""
        settled = Q(state=Server.State.READY, desired=Server.Desired.RUNNING)
        return self.unfinished().exclude(settled)

    def to_start(self, *, at: datetime) -> Self:
        """Wanted, not in the cluster yet, and nobody is at it."""
        starting = (Server.State.ASKED, Server.State.CREATING)
        wanted = self.filter(state__in=starting, desired=Server.Desired.RUNNING)
        return wanted.free(at=at)

    def to_remove(self, *, at: datetime) -> Self:
        """Not wanted any more, perhaps still in the cluster, and nobody is at it."""
        return self.unfinished().filter(desired=Server.Desired.STOPPED).free(at=at)

    def overdue(self, *, at: datetime) -> Self:
        """Wanted, and not ready by their deadline."""
        wanted = self.filter(desired=Server.Desired.RUNNING, deadline_at__lte=at)
        return wanted.exclude(state=Server.State.READY)

    def free(self, *, at: datetime) -> Self:
        return self.filter(Q(claimed_until=None) | Q(claimed_until__lte=at))


class Server(models.Model):
    """The pod of one session. The row says what is wanted; tasks bring the cluster to it."""

    class State(models.TextChoices):
        ASKED = "asked", "asked for"
        CREATING = "creating", "being created"
        STARTING = "starting", "starting"
        READY = "ready", "ready"
        STOPPING = "stopping", "stopping"
        GONE = "gone", "gone"
        FAILED = "failed", "failed"

    class Desired(models.TextChoices):
        RUNNING = "running", "running"
        STOPPED = "stopped", "stopped"

    session = models.OneToOneField(
        Session, primary_key=True, on_delete=models.CASCADE, related_name="driven"
    )
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    desired = models.CharField(max_length=7, choices=Desired, default=Desired.RUNNING)
    digest = models.BinaryField(help_text="Of what the hub asked for: the same again is no change.")
    command = models.JSONField(help_text="What runs in the container, as a list.")
    port = models.PositiveIntegerField()
    sealed = models.BinaryField(
        help_text="The environment, encrypted; empty once the cluster has it."
    )
    namespace = models.CharField(max_length=63, blank=True)
    name = models.CharField(max_length=63, blank=True, help_text="Of the pod and what is beside.")
    pod_uid = models.CharField(max_length=64, blank=True)
    node = models.TextField(blank=True)
    address = models.CharField(max_length=200, blank=True, help_text="Where the proxy reaches it.")
    asked_at = models.DateTimeField()
    deadline_at = models.DateTimeField(help_text="When the start is given up.")
    ready_at = models.DateTimeField(null=True)
    stop_asked_at = models.DateTimeField(null=True)
    stop_reason = models.CharField(
        max_length=10, blank=True, help_text="Why the portal ended it without its hub."
    )
    ended_at = models.DateTimeField(null=True, help_text="When its container ended.")
    exit_code = models.PositiveIntegerField(null=True)
    cleaned_at = models.DateTimeField(null=True, help_text="When nothing of it was left.")
    failure_code = models.CharField(max_length=40, blank=True)
    failure_message = models.TextField(blank=True)
    claimed_until = models.DateTimeField(null=True, help_text="A task is at it until then.")
    changed_at = models.DateTimeField(help_text="Older looks at the cluster say nothing of it.")

    objects = ServerQuerySet.as_manager()

    class Meta:
        verbose_name = "driven server"
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=("asked", "creating", "starting", "ready"))
                | Q(desired="stopped"),
                name="a_server_that_ends_is_not_wanted",
            ),
            models.CheckConstraint(
                condition=~Q(state="failed") | Q(failure_code__gt=""),
                name="a_failed_server_says_why",
            ),
            models.CheckConstraint(
                condition=~Q(state="gone") | Q(cleaned_at__isnull=False),
                name="a_server_is_gone_when_nothing_is_left",
            ),
            models.CheckConstraint(
                condition=~Q(state="ready") | Q(ready_at__isnull=False, address__gt=""),
                name="a_ready_server_has_an_address",
            ),
            models.CheckConstraint(
                condition=Q(deadline_at__gt=F("asked_at")), name="a_start_has_time"
            ),
        )
        indexes = (
            models.Index(
                fields=["state", "desired"],
                condition=Q(cleaned_at=None),
                name="server_unfinished",
            ),
        )

    def __str__(self) -> str:
        return f"server of session {self.session_id}"

    @property
    def is_wanted(self) -> bool:
        return self.desired == self.Desired.RUNNING

    @property
    def is_over(self) -> bool:
        """Nothing will come of it any more."""
        return self.state in (self.State.GONE, self.State.FAILED)


class ServerStep(models.Model):
    """One thing that happened on the way, for the person who waits; written once."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="steps")
    seq = models.PositiveIntegerField(help_text="The cursor behind it.")
    key = models.CharField(max_length=120, help_text="What makes it the same step: once each.")
    at = models.DateTimeField()
    code = models.CharField(max_length=40)
    message = models.TextField()
    advice = models.TextField(blank=True)
    facts = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ("server", "seq")
        verbose_name = "step of a driven server"
        verbose_name_plural = "steps of driven servers"
        constraints = (
            models.UniqueConstraint(fields=["server", "seq"], name="step_has_its_place"),
            models.UniqueConstraint(fields=["server", "key"], name="step_is_told_once"),
        )

    def __str__(self) -> str:
        return f"{self.seq} {self.code}"


class ClusterLook(models.Model):
    """When the cluster was looked at last: at most one look at a time, and not too often."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    taken_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(id=1), name="there_is_one_look"),)

    def __str__(self) -> str:
        return f"look of {self.taken_at}"
