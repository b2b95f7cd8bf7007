"""What hubs told us, as they told it."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from lsp_portal.lib import clock
from sessions.models.hubs import Hub


class HubEvent(models.Model):
    """One event as a hub sent it: append-only, identified by hub and event id."""

    id = models.BigAutoField(primary_key=True)
    hub = models.ForeignKey(Hub, on_delete=models.PROTECT, related_name="events", db_index=False)
    event_id = models.CharField(max_length=36, db_collation="C")
    epoch = models.CharField(max_length=32, db_collation="C")
    seq = models.PositiveIntegerField()
    type = models.TextField()
    time = models.DateTimeField(help_text="When it happened, by the hub's clock; whole seconds.")
    user_name = models.TextField()
    server = models.TextField()
    session = models.UUIDField(null=True)
    data = models.JSONField(help_text="The known fields, checked.")
    raw = models.BinaryField(help_text="The whole event as canonical JSON; empty once let go.")
    digest = models.BinaryField(help_text="SHA-256 of raw.")
    received_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["hub", "event_id"], name="event_is_stored_once"),
        )
        indexes = (
            models.Index(
                fields=["hub", "session"], condition=Q(session__isnull=False), name="event_session"
            ),
            models.Index(fields=["hub", "epoch", "seq"], name="event_sequence"),
            models.Index(fields=["id"], condition=Q(session=None), name="event_of_no_session"),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class QuarantinedEvent(models.Model):
    """A rejected event, kept once as bytes so that nothing a hub says is lost."""

    hub = models.ForeignKey(Hub, on_delete=models.PROTECT, related_name="+")
    digest = models.BinaryField(help_text="SHA-256 of raw.")
    event_id = models.TextField(null=True)  # noqa: DJ001  # null: the event has no id
    code = models.CharField(max_length=20)
    detail = models.TextField()
    raw = models.BinaryField()
    received_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["hub", "digest"], name="quarantined_once"),)

    def __str__(self) -> str:
        return f"{self.code}: {self.event_id or 'no id'}"


class Snapshot(models.Model):
    """A hub's list of all its servers at a moment; complete when every part has arrived."""

    hub = models.ForeignKey(Hub, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.TextField(help_text="The hub's id of the snapshot.")
    key = models.UUIDField(help_text="MD5 of the name: an index key of fixed length.")
    time = models.DateTimeField(help_text="The earliest of its parts.")
    parts = models.PositiveIntegerField(help_text="How many parts it has, as the hub says.")
    listed = models.PositiveIntegerField(default=0, help_text="Servers in the parts that arrived.")
    is_complete = models.BooleanField(default=False)
    was_asked = models.BooleanField(
        default=False, db_default=False, help_text="It is the hub's answer to the portal."
    )
    follows_gap = models.BooleanField(
        default=False, db_default=False, help_text="Snapshots before it were removed."
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["hub", "key"], name="snapshot_is_kept_once"),
        )
        indexes = (models.Index(fields=["hub", "time"], name="snapshot_time"),)

    def __str__(self) -> str:
        return f"{self.name} of {self.hub}"


class SnapshotPart(models.Model):
    """One part of a snapshot."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="arrived")
    part = models.PositiveIntegerField()
    event = models.OneToOneField(HubEvent, on_delete=models.PROTECT, related_name="+")
    sessions = ArrayField(models.UUIDField(), help_text="Ids of the sessions listed.")
    seats = ArrayField(models.UUIDField(), help_text="Seats listed without a session id.")
    starts = ArrayField(
        models.DateTimeField(null=True),
        default=list,
        db_default=[],
        help_text="When the servers in these seats started, where the hub says so.",
    )

    def __str__(self) -> str:
        return f"{self.snapshot} {self.part}/{self.snapshot.parts}"


class Alert(models.Model):
    """Something that an administrator should look at; one open row per subject."""

    class Kind(models.TextChoices):
        SEQUENCE_REUSED = "sequence_reused", "two events with one sequence number"
        EMPTY_SNAPSHOT = "empty_snapshot", "an empty snapshot while sessions run"
        OUTBOX_LOST = "outbox_lost", "an outbox that began anew"
        CONFLICT = "conflict", "one event id with two contents"
        MANY_REMOVALS = "many_removals", "many sessions of removed members at once"
        HUB_UNREAD = "hub_unread", "a hub whose list of servers cannot be read"
        HUB_DOUBTED = "hub_doubted", "a hub whose list of servers is not believed"
        UNRECORDED = "unrecorded", "servers without a session"
        IMAGES = "images", "a registry whose images cannot be read"
        NOT_STOPPED = "not_stopped", "sessions beyond their quota that go on"
        STRAY_OBJECT = "stray_object", "objects in the cluster without a session"
        PODS_DOUBTED = "pods_doubted", "a list of pods that is not believed"
        NOT_GONE = "not_gone", "servers that do not end"

    hub = models.ForeignKey(Hub, on_delete=models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=30, choices=Kind)
    subject = models.CharField(max_length=120)
    detail = models.TextField(blank=True)
    raised_at = models.DateTimeField(default=clock.now)
    last_seen_at = models.DateTimeField(default=clock.now)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-last_seen_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["hub", "kind", "subject"],
                condition=Q(resolved_at=None),
                name="one_open_alert_per_subject",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject}"
